// Shows our own document. Whoever opens the page by another name of the service than the public one tries requests
// there too: the browser, and the page's content security policy, let no page speak with another origin.
"use strict";

const viewer = document.getElementById("viewer");

function reachableHere(server) {
  const path = new URL(server.url).pathname.replace(/\/$/, "");
  return { ...server, url: location.origin + path };
}

async function show() {
  const answer = await fetch(viewer.dataset.document);
  const spec = await answer.json();
  spec.servers = spec.servers.map(reachableHere);
  SwaggerUIBundle({
    spec,
    domNode: viewer,
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    persistAuthorization: false, // tokens are gone with the page
    validatorUrl: null, // ask nobody else whether the document is valid
  });
}

show();
