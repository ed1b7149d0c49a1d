"""Audits: what tells two classes of pictures apart before anybody looks at what they show."""
