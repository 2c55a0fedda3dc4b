"""What asks other servers over HTTP. It knows no Django and nothing of the domain: reward models use it too."""
