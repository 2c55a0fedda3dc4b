"""What asks other servers over HTTP. The lowest house: it knows no Django, no model and no table."""
