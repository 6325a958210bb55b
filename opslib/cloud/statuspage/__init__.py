"""What tasks know of public status pages with the interface of Statuspage v2.

Source: the documentation that every such page carries under /api, such as https://www.vercel-status.com/api
"""
