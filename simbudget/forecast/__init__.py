"""The rest of a session that has begun, from its beginning and from how others went on."""
