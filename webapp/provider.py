"""Where allauth looks for what an app brings: the one kind of provider there is."""

from webapp.oidc import Provider

provider_classes = [Provider]
