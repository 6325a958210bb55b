"""What tasks know of Vercel: its REST API, and its own command line where that is the only way.

Source: https://vercel.com/docs/rest-api and the models of the package @vercel/sdk.
"""
