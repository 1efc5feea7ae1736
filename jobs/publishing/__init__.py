"""Parts of every publication: cleaning of texts, Markdown of cards, the Hub."""
