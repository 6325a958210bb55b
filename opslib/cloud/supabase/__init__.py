"""What tasks know of Supabase: the management API, and a project's REST interface.

Source: https://supabase.com/docs/reference/api and https://docs.postgrest.org
"""
