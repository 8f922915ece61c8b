"""The portal's pages: server-rendered, over the same services as the REST API."""
