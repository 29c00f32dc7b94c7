"""The wordings in which servers refuse mail, by concern, each a named rule; the first that fits decides.

    quarantined
    about authentication, which such replies explain by "spam"
    about spam         said so; lists and reputation
    about the traffic  rates, loops, names that could not be looked up for now
    about the room     full mailboxes, large messages
    about the sender   viruses, our own address or domain, relaying, policy
    about the address  malformed, unknown, closed; then its domain
    about the time     given up after trying long enough
    (codes)
    hints              what only hints at the recipient

What is wrong with the sender comes before what is wrong with the recipient, since "sender domain does not exist" also
says "does not exist". Rules see the words on one line, in lower case, without addresses, links and host names; gaps
in them are short, so that no text takes long.
"""

import re
from dataclasses import dataclass

from varsel.notifications.send_status import SendStatus

FAILED, BOUNCED, SPAM = SendStatus.FAILED, SendStatus.FAILED_BOUNCED, SendStatus.FAILED_FILTERED_SPAM


@dataclass(frozen=True, slots=True)
class TextRule:
    """A wording and the send status that it stands for."""

    name: str  # shown to operators, with "text: " before it
    pattern: re.Pattern[str]
    send_status: SendStatus


def _rule(name: str, send_status: SendStatus, *wordings: str) -> TextRule:
    # In lower case like the words: to ignore the case takes `re` three times as long.
    return TextRule(name, re.compile("|".join(wordings).lower()), send_status)


# In names and links, where they are the reason: "blocked using zen.spamhaus.org".
BLOCKLISTS = re.compile(
    r"spamhaus|ipcheck|spamcop|\bsorbs\b|dnsbl|\brbl\b|uceprotect|barracudacentral|cloudmark|senderbase"
    r"|backscatterer"
    r"|\babuseat\b|surbl|uribl|\bbl\.|blocklist|blacklist",
    re.IGNORECASE,
)

# Nouns and predicates that many wordings share, in the languages that servers near us speak.
_MAILBOX = (
    r"(?:user(?:s|name)?|recipients?|mail ?box(?:es)?|addresse?e?s?|accounts?|e-?mail|alias|person"
    r"|local[ -]?part|receivers?"
    r"|destination|customer|subscriber|login|inbox|mobile|number|id|addressee"
    r"|adress[et]|destinataire|utilisateur|compte|bo[iî]te|benutzer|empf(?:ä|ae|a)nger|postfach|mail-?konto|konto"
    r"|bruker(?:en)?|mottaker(?:en)?|postboks(?:en)?|adress(?:e|en)|ontvanger|gebruiker|postvak"
    r"|usuario|destinatari[oa]|cuenta|buz[oó]n|direcci[oó]n|utente|casella|indirizzo|usu[aá]rio|caixa)"
)
_NOT = r"(?:not|n't|never|cannot be|could not be|can't be|couldn't be|no longer)"

QUARANTINED = (_rule("quarantined", SendStatus.FAILED_QUARANTINED, r"\bquarantin(?!e[- ]?(?:d? )?(?:release|policy))"),)

# Which checks the sender failed is more exact than "spam", which such replies often say as well.
ABOUT_AUTHENTICATION = (
    _rule(
        "authentication of the sender",
        FAILED,
        r"\bDMARC\b.{0,60}(?:policy|fail|reject|pass|check|violat|unauth)",
        r"(?:fail|reject|violat|pass).{0,60}\bDMARC\b",
        r"\b(?:SPF|DKIM)\b.{0,60}(?:fail|pass|reject|record|check|policy|invalid|not allow|denied|error|valid"
        r"|requir)",
        r"(?:fail|pass|violat|reject|invalid|missing).{0,40}\b(?:SPF|DKIM)\b|sender policy framework",
        r"unauthenticated|authentication (?:checks?|information|results?|failed|required|is required)",
        r"not authenticated",
    ),
    _rule(
        "name of the sending host",
        FAILED,
        r"\bPTR\b|reverse[ -](?:DNS|lookup|hostname|mapping|resolution|name)|\brDNS\b|cannot find your hostname",
        r"(?:helo|ehlo)\b.{0,40}(?:reject|invalid|not|mismatch|resolv|fqdn|qualified|denied|bad)|fix reverse",
        r"client host name|mismatch(?:es)? client ip|unresolvable (?:host|relay)|IP name (?:possibly )?forged",
        r"(?:ip|address) (?:does not resolve|has no name|name lookup failed)|no host ?name",
        r"could not resolve (?:your|ip)",
    ),
)

ABOUT_SPAM = (
    _rule(
        "spam",
        SPAM,
        r"\bspam(?!trap protec)|\banti-?spam|\bjunk ?mail|\bjunk\b|unsolicited|\bbulk (?:e-?)?mail|\bUBE\b",
        r"\bUCE\b|\bphish|suspicious due to|pourriel|correo no deseado|迷惑メール",
    ),
    _rule(
        "blocklist or reputation",
        SPAM,
        r"block[ -]?list|black[ -]?list|deny[ -]?list|\b(?:DNS)?[RD]?BL\b|\breputation",
        r"(?:user|recipient|excessive|many) complaints|(?<!not )(?:currently )?\blisted (?:in|by|on|at|with)\b",
        r"(?:found|appears?|listed|being|is) (?:in|on|by) (?:the |a |one |our |at )?(?:[\w-]{1,20} )?(?:block"
        r"|black|real-?time)",
        r"blocked (?:using|by|due to|for|because of) (?:blocklist|complaints)|too many complaints",
        r"high complaint|schwarze liste|liste noire|lista negra",
    ),
)

ABOUT_THE_SENDER = (
    _rule(
        "virus or forbidden attachment",
        FAILED,
        r"\bvirus|\bmalware|\binfected|\btrojan|attachment type",
        r"(?:illegal|forbidden|banned|unsafe|dangerous|blocked) (?:attachment|file|extension|content)",
        r"potential security (?:issue|problem)|security (?:issue|threat)",
    ),
    _rule(
        "our own address or domain",
        FAILED,
        r"sender'?s? (?:e-?mail )?(?:address|domain|verif|id\b|host|is |was |not |reject|denied|refused|blocked"
        r"|unknown|invalid|policy|rate|server|ip\b)",
        r"(?:invalid|unknown|bad|illegal|forbidden|unverified|unauthori[sz]ed|malformed|unresolvable|blocked"
        r"|fake) sender",
        r"(?:domain|address|e-?mail) of (?:the )?sender|return[- ]?path|reverse-?path|envelope (?:sender|from)",
        r"callout|callback|verif(?:y|ication).{0,20}sender",
        r"sender.{0,40}(?:not exist|not found|not allowed|not permitted|not authori|no permission)",
        r"(?:mail from|from:?) (?:address|domain|header|field|command).{0,60}(?:reject|not|invalid|bad|must"
        r"|cannot|refus|multiple|denied)",
        r"(?:reject|refus|den|block|not accept|invalid|illegal).{0,30}(?:mail )?from (?:address|domain|header)",
        r"(?:not|isn't|aren't) (?:allowed|permitted|authori[sz]ed|able|enabled) to (?:send|post|submit|e-?mail"
        r"|mail)",
        r"restricted to|(?:not|n't) have (?:the )?permission|only accepts? (?:messages|mail)|absender",
        r"in reply to mail from|after mail from|MAIL FROM:? ?(?:command|rejected|refused|denied)|exp[ée]diteur",
    ),
    _rule(
        "relaying denied",
        FAILED,
        r"relay(?:ing)?\b.{0,30}(?:den|not|prohibit|reject|refus|forbid|disallow|disabled|restrict)",
        r"unable to relay|cannot relay|(?:not|don't|no) (?:allowed to |permitted to |an? open |a )?relay",
        r"we do not relay|(?:isn't|not) in my (?:list of allowed|control)|not a gateway",
        r"not local.{0,20}(?:gateway|relay)",
    ),
    _rule(
        "policy or content",
        FAILED,
        r"(?:message|mail|content|delivery|transaction)\b.{0,30}(?:reject|refus|block|denied|prohibited"
        r"|not accepted|not allowed).{0,40}(?:polic|content|filter|rule|administrat)",
        r"(?:content|message|body|subject|header|mail) (?:content )?(?:was |is |has been )?(?:reject|refus"
        r"|filtered|blocked|not accept)",
        r"(?:local|security|site|administrative|company|e-?mail|for|by|server|due to|our|violates?) polic(?:y"
        r"|ies)",
        r"policy (?:reason|violation|reject|restrict|block|analysis)",
        r"administrative(?:ly)? (?:prohibit|den|block)|not (?:RFC|compliant)",
        r"rfc ?\d{3,4} (?:compliant|specifi|section|violat)|violat(?:es|ion)|not a member of",
        r"client host (?:rejected|blocked)",
        r"(?:host|ip|connection|server|network)s? .{0,30}(?:reject|refused by|blocked|banned|not allowed"
        r"|not accepted|denied)",
        r"your (?:ip|host|server|mail server|network|domain)\b.{0,40}(?:block|banned|reject|refus|denied"
        r"|not allowed)",
    ),
)

ABOUT_TRAFFIC = (
    _rule(
        "too much mail",
        FAILED,
        r"too (?:quickly|fast|frequent|much mail)|at a rate|rate[ -]?(?:limit|control|exceed)|throttl",
        r"frequency limit",
        r"too many (?:connections|messages|mails?|e-?mails|recipients|sessions|errors|concurrent|requests"
        r"|invalid)",
        r"(?:daily|hourly|sending|message|connection|transmission|outgoing) (?:rate "
        r"|user )?(?:sending )?(?:quota|limit)\b",
        r"(?:exceeded|reached).{0,40}(?:max(?:imum)? number|per (?:hour|day|minute|connection))|traffic limit",
        r"too many recipients",
    ),
    _rule(
        "mail loop",
        FAILED,
        r"too many hops|hop count|loops? back|mail(?:er)? loop|routing loop|\blooping\b|loop detected",
        r"forwarding loop",
    ),
    # The name server did not answer, which says nothing of the domain.
    _rule(
        "name server did not answer",
        FAILED,
        r"not found,? try again",
        r"(?:name server|dns|lookup|resol\w+|domain)\b.{0,40}(?:temporar|timed? ?out|servfail|deferred)",
        r"temporar.{0,30}(?:lookup|resol|dns|name server)|servfail|CNAME lookup failed temporarily",
    ),
)

ABOUT_ROOM = (
    _rule(
        "mailbox full",
        FAILED,
        r"(?:mail ?box|mail ?fold(?:er)?|inbox|account|user|recipient|mail ?drop|directory|disk|maildir"
        r"|box)\b.{0,30}(?<!success)\bfull\b",
        r"\bover(?:[ -]|its |the |his |their |allowed | )*(?:disk |mail |storage |mailbox |allotted )?quota",
        r"overquota|over the limit|quota.{0,20}(?:exceed|reached|full|violat|limit)",
        r"exceed.{0,40}(?:quota|storage|mailbox size|space)",
        r"(?:out of|insufficient|not enough|no more|no|lack of|low on"
        r"|running out of) (?:available )?(?:system )?(?:mail ?box )?(?:disk |storage |mailbox |free )?(?:space"
        r"|storage|room|disk)",
        r"(?:storage|mailbox|mailfile|mail file)(?: size)? (?:limit|quota|is full|full|exceed|would exceed)",
        r"full mailbox|storage capacity|(?:postfach|mailbox|speicher).{0,30}(?:voll|überfüllt|ueberfuellt)",
        r"quota (?:du|de) |bo[iî]te.{0,40}pleine|\bplein[e]?\b|buz[oó]n.{0,20}llen|llen[oa]\b",
        r"casella.{0,20}piena|postboks.{0,20}full|(?:mailbox|postvak).{0,10}vol\b|容量",
    ),
    _rule(
        "message too large",
        FAILED,
        r"(?:message|mail|content|size|file|attachment|body|header|msg|data)s?\b.{0,30}(?:too (?:large|big)"
        r"|exceed)",
        r"(?:header|line)s? too long|exceed.{0,60}(?:size|length|maximum)|(?:size|length) limit",
        r"max(?:imum)? (?:message |mail )?size|larger than|too large|too big|zu gro(?:ß|ss)",
        r"trop (?:gros|volumineux|grand)|demasiado grande|for stor\b|te groot",
    ),
)

ABOUT_THE_ADDRESS = (
    # What stands in for words of the server's own in reports of hosting panels.
    _rule("account or domain may not exist", BOUNCED, r"(?:account|user|address|mailbox)(?: or domain)? may not exist"),
    _rule(
        "malformed address",
        SendStatus.FAILED_INVALID_EMAIL_FORMAT,
        r"(?:bad|invalid|illegal|malformed|wrong|incorrect|improper)(?: \w+){0,2} (?:address )?(?:syntax"
        r"|format)",
        r"(?:address|recipient|user|mailbox)(?: \w+)? (?:syntax|format) (?:error|is|was|not|invalid)",
        r"malformed (?:recipient|address|e-?mail)|syntax error in (?:the )?(?:recipient|address|mailbox|rcpt)",
        r"syntactically (?:incorrect|invalid|wrong)",
        r"(?:not|isn't) a (?:syntactically )?valid (?:RFC.{0,10})?(?:e-?mail |smtp )?address",
        r"not a fully[- ]qualified|missing domain|domain missing",
    ),
    _rule(
        "no such recipient",
        BOUNCED,
        r"(?:unknown|no such|nonexist\w+|non-exist\w+|undefined|unrecogni[sz]ed|not a valid|invalid|bad|wrong"
        r"|not a known|no valid|unbekannte?r?|ukjent|onbekende?|desconocid[oa]"
        r"|inconnue?)(?: \w+)?[ :-]+(?:local |final |smtp |e-?mail |mail |virtual |destination |remote |system "
        rf"|domain |recipient |registered |the |or )*{_MAILBOX}\b",
        rf"{_MAILBOX}\b.{{0,40}}\b(?:unknown|unbekannt|ukjent|onbekend|desconocid[oa]|inconnue?|inexistant"
        r"|inexistente|invalide?|invalid[oa]?|ung(?:ü|ue)ltig|ugyldig|ongeldig|sconosciut[oa]|nonexist\w+"
        r"|non-exist\w+)\b",
        rf"{_MAILBOX}\b.{{0,60}}\b(?:do|does|did|is|was|are|has|have|could|can|were)? ?{_NOT}\b ?(?:be |a |an "
        r"|been |yet |currently |currently be |in )?(?:exist|found|known|valid|recogni[sz]|active|locate|match"
        r"|resolved|registered|listed|here\b|local\b|on this|our\b|available|hosted|defined|deliverable"
        r"|reachable|present|set ?up|verified"
        r"|(?:\w+ )?(?:list|system|server|directory|address book|database|table|domain))",
        rf"(?:n't|not) have an? .{{0,40}}{_MAILBOX}|n't an? .{{0,20}}{_MAILBOX}|no mailbox",
        r"recipient address(?:es)? rejected ?: access denied",
        rf"no (?:local )?{_MAILBOX}\b.{{0,20}}(?:here|by that name|with|named|such|found|match|exist|available)",
        r"not (?:our|a) (?:customer|user|local|subscriber|registered)|not listed in",
        r"not in (?:our|the|my) (?:\w+ ){0,3}(?:directory|database|list|table|address book)",
        r"unrout(?:e)?able (?:mail )?(?:address|domain)|undeliverable address|address lookup|nosuchuser",
        r"nosuchrecipient|RecipNotFound|RecipientNotFound|no (?:such )?person|cannot find (?:your )?recipient",
        r"(?:can't|cannot|could not|unable to) (?:find|verify|locate|validate|resolve) (?:the "
        rf"|this )?{_MAILBOX}",
        rf"{_MAILBOX} verif\w+ fail",
        r"check (?:if |that |whether )?(?:the |your )?(?:recipient'?s? )?(?:e-?mail )?address(?: is correct)?",
        r"verify.{0,10}recipient|not matched to any|did not match|matches no|n'existe pas|existiert nicht",
        r"finnes ikke|eksisterer ikke|bestaat niet|no existe|non esiste|n(?:ã|a)o existe|nicht gefunden",
        r"ikke funnet|finns inte|findes ikke|(?:unknown|no such|undefined) (?:in|at|on) |user unk",
        r"unknown in (?:\w+ ){0,4}table|mailbox unavailable or|no valid recipients?",
        r"宛先不明|見つかりません|存在しません",
        r"all recipients.{0,20}invalid|not (?:a )?valid (?:recipient|mailbox|user|address)",
        r"does not like recipient",
    ),
    _rule(
        "recipient closed",
        BOUNCED,
        rf"{_MAILBOX}\b.{{0,60}}\b(?:disabled|inactive|suspended|deactivated|closed|deleted|terminated|removed"
        r"|discontinued|expired|cancell?ed|blocked|locked|abandoned|dormant|bloqu[eé]\w*|gesperrt|deaktiviert"
        r"|sperret|deaktivert|frozen|retired|on hold|not active|unused)",
        r"(?:disabled|inactive|suspended|deactivated|closed|deleted|terminated|discontinued|expired"
        rf"|dormant) (?:\w+ )?{_MAILBOX}",
        rf"{_MAILBOX}\b.{{0,40}}(?:no longer|has moved|moved)",
        r"no longer (?:at|with|in use|accept|valid|works|employ|active|available|on|here|exist)",
        r"not local.{0,10}(?:please )?try|has (?:been )?moved|(?:has|have) left",
    ),
    _rule(
        "no such domain",
        BOUNCED,
        r"host or domain name not found",
        r"(?:no such|unknown|invalid|nonexistent|non-existent|bad|illegal|unrouteable"
        r"|unroutable)(?: mail)? (?:domain|host)",
        r"(?:domain|host|hostname|site)\b.{0,40}(?:not exist|not found|unknown|not be found|not resolve"
        r"|unresolvable|not reachable|not valid|invalid|cannot be resolved|nonexist|could not be resolved)",
        r"(?:couldn't|can't|cannot|could not|unable to) (?:find|resolve|locate|look ?up)(?: any| a| the"
        r"| an)* (?:\w+ ){0,3}(?:host|domain|mail ?server|mx|mail exchange|route|name)",
        r"null ?mx|nxdomain|non-?existent ?domain|NonExistentDomain",
        r"no (?:mx|mail exchanger|dns|a)(?: or \w+)? (?:record|found|host|entr)",
        r"no mail ?(?:server|exchanger|host)s?|name or service not known",
        r"(?:not|n't) accept (?:any )?(?:e-?)?mail(?! from)|no SMTP service|MX records point",
        r"no route to (?:domain|destination|address)|domain (?:is )?(?:misspelled|expired|inactive|suspended)",
        r"unknown domain|host ?name lookup|no relevant answers|not accepting network messages",
        r"DNS (?:error|lookup).{0,60}(?:not found|no such|fail|nxdomain)",
    ),
)

ABOUT_TIME = (
    # "Try again" after "unknown" is a habit; without it, the refusal was only for the time being.
    _rule(
        "given up after trying",
        FAILED,
        r"timed? ?out|time ?out|expired|retry time|too long",
        r"connection (?:refused|reset|lost|dropped|closed|failed)|lost connection|unreachable|greylist",
        r"grey ?list|accept our requests? to connect|socket error|temporar|try (?:again )?later|later",
        r"no route to host|not responding|cannot connect|could ?n[o']t connect|unable to connect|no answer",
        r"been in (?:the )?queue|delivery time",
    ),
)

# Asked after the codes, since servers say these with a better reason in the code.
HINTS = (
    # Whatever was refused before a recipient was named is not about the recipient.
    _rule(
        "refused before the recipient was named",
        FAILED,
        r"after (?:initial connection|connect\b|[he]+lo\b|starttls|auth\b)",
        r"in reply to (?:[he]+lo|starttls|auth|initial)|refused to talk to me",
        r"while performing the (?:[he]+lo|initial)|initial server greeting",
    ),
    _rule(
        "recipient refused",
        BOUNCED,
        r"(?:recipient|address|user|mailbox|rcpt(?: to)?)\b.{0,20}(?:rejected|refused|denied|unavailable"
        r"|undeliverable|not accepted|not allowed)",
        r"access denied|not exist|invalid (?:recipient|address)|mailbox unavailable",
        r"rejected by (?:the )?recipient|undeliverable to|(?:rejected|refused) (?:the )?(?:recipient|address)",
        r"(?:no|not) (?:an? )?(?:valid )?recipient",
    ),
)

TEXT_RULES = (
    *QUARANTINED,
    *ABOUT_AUTHENTICATION,
    *ABOUT_SPAM,
    *ABOUT_TRAFFIC,
    *ABOUT_ROOM,
    *ABOUT_THE_SENDER,
    *ABOUT_THE_ADDRESS,
    *ABOUT_TIME,
)
