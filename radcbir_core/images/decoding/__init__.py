"""The processes that decode: what is asked of them, what they answer, and how decoding says no.

Files come from strangers. They are opened in a process of its own that is limited in memory and time:
``decoding_process`` starts it, ``decoding_worker`` is its program, ``file_reading`` routes a file to the reader of its
format.
"""
