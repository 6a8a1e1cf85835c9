"""Spanstore: a recorder and store for HD surveillance video.

The rooms, from the ground up (each imports only what is below it):

    errors    what can go wrong, grouped by the caller's next move
    model     nouns: time, keys, media, timeline, cameras                  } pure:
    bmff      boxes of ISO/IEC 14496-12, read and written                  } no I/O,
    index     frame tables: scan, encode, locate, sample tables (compiled) } no clock,
    segment   what capture left: true times, sound, bytes laid out; sealing} no log
    cut       time range to frames and byte ranges                         }
    ports     the doors to the world, as Protocols; telemetry beside it
    capture   ingest  ship  playback  janitor      the rooms that work
    spool     store  catalog  process  clock       the rooms that touch the world
    app       joins them: the only place that knows every concrete class
    api  cli  two thin doors over app
"""
