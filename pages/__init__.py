"""The pages: everything that knows Streamlit, one thin script a page; the file name is its URL."""
