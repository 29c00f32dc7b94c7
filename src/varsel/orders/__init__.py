"""What an owner asks for: place an order, generate its notifications, cancel it, find it."""
