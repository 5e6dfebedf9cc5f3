/**
 * Every bound of the program, in one place, each with its unit in its name.
 *
 * A queue, buffer, timer or retry that has no bound here does not belong in the program. Where a
 * bound follows a measurement or a peer's limit, the reason stands beside it.
 */

/** Longest message head (start line and fields) accepted, in either direction. Node's own is 16 KiB. */
export const HEAD_BYTES_MAX = 64 * 1024;
/** Most field lines in a head or a trailer section. */
export const FIELDS_MAX = 256;
/** Spellings of field names that are remembered in lower case; past it they are learnt anew. */
export const FIELD_NAMES_MAX = 512;
/** Longest field name that is remembered so. */
export const FIELD_NAME_CHARS_MAX = 64;
/** Longest chunk-size line, extensions included (RFC 9112 section 7.1.1 asks for a limit). */
export const CHUNK_LINE_BYTES_MAX = 1024;
/** Interim answers (1xx) before the final one: each restarts the timer of an upstream. */
export const INTERIM_ANSWERS_MAX = 100;
/** Longest trailer section of a chunked message. */
export const TRAILER_BYTES_MAX = 16 * 1024;

/** Largest request body held back for routing and replay: the Messages API's own limit is 32 MB. */
export const HELD_BODY_BYTES_MAX = 33 * 1024 * 1024;
/** All held request bodies of the process together; past it a request streams without a replay. */
export const HELD_TOTAL_BYTES_MAX = 512 * 1024 * 1024;
/** Node reads so much from a socket at once; a view of a byte of it keeps all of it alive. */
export const READ_BYTES = 64 * 1024;
/**
 * A piece of a held body shorter than this is copied into a buffer of this size: each piece costs some
 * 100 bytes besides, and keeps all of the read alive that it came in.
 */
export const HELD_PIECE_BYTES_MIN = 16 * 1024;
/**
 * Bytes of a held body handed to a transport in one piece. What an HTTP/2 session has not sent yet counts
 * against its memory, and beyond that node:http2 refuses the answers of all its streams.
 */
export const WRITE_BYTES_MAX = 256 * 1024;
/** Longest value of a routed key (`model`) that is read. */
export const KEY_VALUE_BYTES_MAX = 1024;
/** Values of a body that an edit may concern; one with more (duplicate keys) is not edited. */
export const EDITED_PLACES_MAX = 64;
/** Globs of which is remembered how they are matched; past it they are looked at anew. */
export const GLOBS_MAX = 256;
/** Deepest nesting that the JSON scanner follows; a deeper body is not routed. */
export const JSON_DEPTH_MAX = 1024;
/** Longest SSE data line that the tap keeps to read tokens from. */
export const TAP_LINE_BYTES_MAX = 64 * 1024;
/** Longest `usage` or `error` object that the tap keeps of a non-streaming answer. */
export const TAP_VALUE_BYTES_MAX = 16 * 1024;
/** Most decoded bytes that the tap reads of one encoded answer (a decompression bomb ends here). */
export const TAP_DECODED_BYTES_MAX = 64 * 1024 * 1024;
/** Largest zstd window, 8 MiB: what RFC 9659 allows a content coding. A decoder allocates it at once. */
export const TAP_ZSTD_WINDOW_BITS_MAX = 23;
/** Encoded bytes queued to the tap's decoder; past it the tap lets go and says so. */
export const TAP_QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** How long the record of an ended exchange waits for the tap's decoder. */
export const TAP_SETTLE_MS_MAX = 2_000;

/** Client connections open at once. */
export const CLIENT_CONNECTIONS_MAX = 4096;
/** Descriptors that a process that serves needs for itself: the system's, the ledger's, the control socket's. */
export const OWN_FILES = 64;
/** A client that has begun a request head must finish it within this time. */
export const CLIENT_HEAD_MS_MAX = 60_000;
/**
 * A client that has begun a request body must send the next piece of it within this time; whoever is
 * made to wait by us has all the time. Slow is allowed, silent is not: held bodies share one budget.
 */
export const CLIENT_BODY_IDLE_MS_MAX = 300_000;
/** A client must finish the TLS handshake inside its tunnel within this time. */
export const CLIENT_TLS_MS_MAX = 30_000;
/**
 * What is read and thrown away of a request that was answered early, before the connection closes:
 * the largest body that is legitimate, since a client that is still writing may look at nothing else.
 */
export const LINGER_BYTES_MAX = HELD_BODY_BYTES_MAX;
/** How long that reading and throwing away may last. */
export const LINGER_MS_MAX = 5_000;
/**
 * The same on HTTP/2, after which the stream is reset without blame; long enough for the answer's
 * head, which a reset overtakes, to have left.
 */
export const H2_RELEASE_MS = 100;
/**
 * FIN this soon after a request's end is a half-close of a client that waits for its answer; later it
 * is a client that left. A half-closed HTTP/1.1 client is probed after the same time.
 */
export const HALF_CLOSE_MS = 250;
/** Interim answers sent to find out whether a half-closed client is still there. */
export const HALF_CLOSE_PROBES_MAX = 2;
/** A draining edge closes a tunnel or upgraded connection without a byte for this long. */
export const DRAIN_TUNNEL_MS = 1_000;
/** A draining edge closes a connection that stays idle for this long: what was on its way arrives. */
export const DRAIN_IDLE_MS = 250;
/** Names resolved at once for tunnels: half of the threads that the process has for it. */
export const TUNNEL_LOOKUPS_MAX = 2;
/** A blind tunnel or upgraded connection without a byte in either direction. */
export const TUNNEL_IDLE_MS_MAX = 60 * 60_000;

/** TCP connection to an upstream. */
export const UPSTREAM_CONNECT_MS_MAX = 10_000;
/** TLS handshake with an upstream. */
export const UPSTREAM_TLS_MS_MAX = 10_000;
/** From the last byte of a request to the head of its answer: the SDKs themselves wait 600 s. */
export const UPSTREAM_HEAD_MS_MAX = 900_000;
/** Silence in the middle of an answer. Claude Code gives up at 180 s, its event watchdog at 300 s. */
export const UPSTREAM_IDLE_MS_MAX = 600_000;
/** A client that leaves after this much silence of the upstream left because the stream had stalled. */
export const STALL_MS = 60_000;
/** A connection whose answer came before its request was accepted is kept if that follows within this. */
export const UPSTREAM_FLUSH_MS_MAX = 1_000;
/** Idle upstream sockets are closed here, well below the edge's 400 s, so that none is reused dead. */
export const POOL_IDLE_MS_MAX = 90_000;
/**
 * No upstream's idle timer is shorter: a connection that broke sooner met something else, one that
 * rested longer is looked at once more before it is used.
 */
export const POOL_IDLE_MS_MIN = 1_000;
/** A request meets an upstream's idle timer within this time or not at all: a round trip, and a retransmission. */
export const POOL_RACE_MS_MAX = 1_000;
/** How long it is remembered that an upstream closes idle connections sooner than the pool would. */
export const POOL_LESSON_MS_MAX = 10 * 60_000;
/** Idle upstream sockets kept for one upstream and identity. */
export const POOL_IDLE_SOCKETS_MAX = 64;
/** While a pool is open it is looked this often whether the machine slept (measured: 0.1 µs a look). */
export const WAKE_BEAT_MS = 1_000;
/** A beat that is later than this tells of a sleep: more than a machine that is overloaded keeps one waiting. */
export const WAKE_LATE_MS_MAX = 10_000;
/** Clocks that part by this between two beats tell of a sleep too; and a sleep is this long just over. */
export const WAKE_DRIFT_MS_MAX = 3_000;
/** The machine's addresses are read at most this often (measured: 46 µs). */
export const WAKE_NETWORK_MS = 1_000;
/** TLS sessions are resumed for so long after a certificate was verified: then it is looked at again. */
export const TLS_VERIFIED_MS_MAX = 60 * 60_000;
/** First TCP keep-alive probe on an upstream or client socket. */
export const TCP_KEEPALIVE_MS = 30_000;
/** Streams on one HTTP/2 session before another is opened. */
export const H2_STREAMS_PER_SESSION_MAX = 100;
/**
 * HTTP/2 sessions of one upstream and identity up to which a request body that another one would hold
 * up gets its own; beyond, bodies share.
 */
export const H2_SESSIONS_MAX = 64;
/** Receive window of an HTTP/2 stream, both sides; the protocol's default of 64 KiB throttles. */
export const H2_WINDOW_BYTES = 1024 * 1024;
/**
 * Receive window of an HTTP/2 session. All its streams together fit in, so that one client that
 * stopped reading can not hold up the streams of the others.
 */
export const H2_SESSION_WINDOW_BYTES = H2_STREAMS_PER_SESSION_MAX * H2_WINDOW_BYTES;
/** An HTTP/2 session that was destroyed lets go of its socket within this time, or is made to. */
export const H2_FAREWELL_MS = 1_000;
/** An idle HTTP/2 session is pinged this often, so that a dead one is found before it is used. */
export const H2_PING_MS = 60_000;

/** How long an upstream that chose HTTP/1.1 is not asked for HTTP/2 again. */
export const ALPN_MEMORY_MS_MAX = 10 * 60_000;
/** Identities of one upstream that are remembered (TLS tickets, pools) while they hold no connection. */
export const POOL_IDENTITIES_MAX = 64;
/** Longest `detail` of an upstream failure. */
export const FAILURE_DETAIL_CHARS_MAX = 200;
/** Credentials that are kept out of records: those in force, and the newest of former ones. */
export const HIDDEN_SECRETS_MAX = 64;
/** Credentials of a client shorter than this are not searched for: they occur by chance. */
export const CREDENTIAL_CHARS_MIN = 8;
/** As above, in a request body, where there is more room for chance. */
export const CREDENTIAL_IN_BODY_CHARS_MIN = 16;

/** Tries of one exchange, the first one included (contract, rules of a lane, 6). */
export const ATTEMPTS_MAX = 2;
/** Longest wait that a Retry-After may ask of the proxy; a longer one is left to the client. */
export const BACKOFF_MS_MAX = 60_000;
/** Jittered wait after a 429 that names none (contract, `MITM_ENABLE_BACKOFF`). */
export const BACKOFF_RATE_MS_MIN = 200;
export const BACKOFF_RATE_MS_MAX = 600;
/** Jittered wait after a 503 or 529 that names none. */
export const BACKOFF_BUSY_MS_MIN = 1_000;
export const BACKOFF_BUSY_MS_MAX = 3_000;

/** Open streams get this long to finish after SIGTERM. */
export const DRAIN_MS_MAX = 600_000;

/** A worker process must be able to serve within this time, or is killed. */
export const WORKER_START_MS_MAX = 30_000;
/** A worker that was told to leave and has not ended this long after its time is killed. */
export const WORKER_END_MS_MAX = 5_000;
/** How long a worker may take to answer what it is asked. */
export const WORKER_CALL_MS_MAX = 10_000;
/** Connections wait this long for a worker that can take them. */
export const WORKER_WAIT_MS_MAX = 10_000;
/** A worker that served this long and then died is replaced at once; others after a wait, doubled each time. */
export const WORKER_STEADY_MS = 5_000;
export const WORKER_RETRY_MS_MIN = 100;
export const WORKER_RETRY_MS_MAX = 5_000;
/** A worker tells its counts this often while they change, so that little is lost when it is killed. */
export const WORKER_REPORT_MS = 1_000;
/** Worker processes of one proxy. */
export const WORKERS_MAX = 64;

/** A ledger file is rotated at this size. */
export const LEDGER_BYTES_MAX = 64 * 1024 * 1024;
/** Rotated ledger files kept beside the current one. */
export const LEDGER_FILES_MAX = 20;
/** Records waiting to be written; past it they are counted as dropped. */
export const LEDGER_QUEUE_BYTES_MAX = 8 * 1024 * 1024;

/** Names of each kind whose spelling in a record is remembered; past it they are spelt anew. */
export const LEDGER_NAMES_MAX = 256;
/** Longest name that is remembered so. */
export const LEDGER_NAME_CHARS_MAX = 128;
/** How long lines of a ledger gather after a write before the next one. A line that comes alone does not wait. */
export const LEDGER_GATHER_MS = 10;
/** Records joined into one write: large enough to be rare, small enough to be one piece on disk. */
export const LEDGER_BATCH_BYTES_MAX = 256 * 1024;
/** How often it is looked whether the ledger file was moved away, and a failed write is tried again. */
export const LEDGER_CHECK_MS = 1_000;
/** Or once so much was written since: it is kept until then, to be written again where the file was removed. */
export const LEDGER_UNCHECKED_BYTES_MAX = 1024 * 1024;
/** A last line without its end that does not grow for this long is nobody's who still writes. */
export const LEDGER_TORN_MS = 50;
/** Longest line that a reader of the ledger keeps; a longer one is damage. */
export const LEDGER_LINE_BYTES_MAX = 1024 * 1024;
/** Where changes of a followed ledger are not announced, they are looked for this often. */
export const LEDGER_POLL_MS = 500;

/** What the tee keeps of one body. */
export const TEE_BODY_BYTES_MAX = 16 * 1024;
/** The file of body samples is rotated at this size; it holds more than a ledger should keep. */
export const TEE_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Rotated files of body samples kept. */
export const TEE_FILES_MAX = 4;
/** Samples waiting to be written; past it they are counted as dropped. */
export const TEE_QUEUE_BYTES_MAX = 2 * 1024 * 1024;

/** Largest configuration file that is read. */
export const CONFIG_FILE_BYTES_MAX = 1024 * 1024;

/** Longest path of a Unix socket that is used as it is: Linux has room for 107 bytes, macOS for 103. */
export const SOCKET_PATH_BYTES_MAX = 100;
/** Connections to the control socket at once; each `run` holds one as its lease. */
export const CONTROL_CONNECTIONS_MAX = 512;
/** Largest body of a control request. */
export const CONTROL_BODY_BYTES_MAX = 16 * 1024;
/** Largest answer of the control socket that its client reads. */
export const CONTROL_ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** How long a control command waits for its answer. */
export const CONTROL_MS_MAX = 15_000;
/** How long a control socket that closes waits for the answers under way to be sent. */
export const CONTROL_CLOSE_MS_MAX = 1000;
/** Label combinations that the metrics count apart; what comes after is counted as `other`. */
export const METRIC_SERIES_MAX = 512;

/** Received requests that a twin keeps in memory, unless told otherwise. */
export const TWIN_KEPT_REQUESTS = 2_000;
/** Request bodies that a twin keeps in memory, all together. */
export const TWIN_KEPT_BYTES_MAX = 256 * 1024 * 1024;
/** What a twin keeps of the payload of one answer that a fault befell. */
export const TWIN_BROKEN_BYTES_MAX = 4 * 1024 * 1024;
/** Largest request body that a twin accepts: the Messages API's own limit. */
export const TWIN_BODY_BYTES_MAX = 32 * 1024 * 1024;
/** Deltas, words or milliseconds that one directive may ask of a twin. */
export const TWIN_DIRECTIVE_MAX = 10_000_000;
/** Prompts whose attempts a twin counts, for directives with `times=`. */
export const TWIN_COUNTED_PROMPTS_MAX = 4_096;
/** Longest wait that one fault of a twin may last, unless until the client leaves: one hour. */
export const TWIN_FAULT_MS_MAX = 3_600_000;
/** Rules of one fault plan. */
export const TWIN_FAULT_RULES_MAX = 1_000;

/** Life of the local certificate authority and its leaf; clients refuse much longer ones. */
export const CA_VALID_MS = 397 * 24 * 60 * 60_000;
/** They begin this long before they are made, for clients whose clock is behind. */
export const CA_BACKDATE_MS = 24 * 60 * 60_000;
/** With less life left than this they are replaced at the next start. */
export const CA_RENEW_MS = 30 * 24 * 60 * 60_000;
/** Hosts that one authority may be made for. */
export const CA_HOSTS_MAX = 64;
/** Former authorities that stay in the trust bundle. */
export const CA_KEPT_MAX = 3;
/** How long a start waits for another one that is minting. */
export const CA_LOCK_MS_MAX = 10_000;
/** Longest PEM file that is read. */
export const PEM_FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Trust files combined with a user's own that are kept; the least recently used go first. */
export const TRUST_FILES_MAX = 8;
/** A leased proxy ends when nobody has taken a lease after this time. */
export const LEASE_FIRST_MS_MAX = 30_000;
/** How long `run` waits for the proxy it started to accept connections. */
export const DAEMON_START_MS_MAX = 30_000;
/** How long `run` waits, its command being over, for the proxy of the last lease to end. */
export const DAEMON_END_MS_MAX = 2_000;
/** What is shown of the log of a proxy that did not start. */
export const LOG_EXCERPT_BYTES_MAX = 4 * 1024;
/** Programs that `versions` and `doctor` ask something must answer within this time. */
export const PROGRAM_MS_MAX = 5_000;
/** The check of the CA trust end to end. */
export const TRUST_CHECK_MS_MAX = 10_000;

/** A drill's client gives an exchange up after this much silence, and calls it a stall. */
export const DRILL_STALL_MS = 60_000;
/** How often a drill looks at the memory and the sockets of the proxy. */
export const DRILL_SAMPLE_MS = 1_000;
/** Looks that are kept; beyond, every second one is dropped and the interval doubled. */
export const DRILL_SAMPLES_MAX = 4_096;
/** How long a drill waits at its end for exchanges, upstreams and ledger to have settled. */
export const DRILL_SETTLE_MS_MAX = 10_000;
/** Exchanges that a drill's client puts on one connection, so that connections come and go too. */
export const DRILL_REQUESTS_MAX = 100;
/** Last bytes of an answer that a drill's client keeps: room for an error event with a long text. */
export const DRILL_TAIL_BYTES_MAX = 8 * 1024;
/** The same of an answer under a content coding, which is read as a whole. */
export const DRILL_DECODED_BYTES_MAX = 1024 * 1024;
/** Clients of a drill at once. */
export const DRILL_CONCURRENCY_MAX = 1_024;
/** Requests that reached the twin and are not matched yet; a drill takes them out long before. */
export const DRILL_KEPT_MAX = 20_000;
/** A chaos drill lets a short exchange arrive this often. */
export const CHAOS_ARRIVAL_MS = 20;
/** Short exchanges of a chaos drill under way at once. */
export const CHAOS_ARRIVALS_OPEN_MAX = 32;
/** How long a chaos drill waits for its streams to be open, and for what must be gone to be gone. */
export const CHAOS_SETTLE_MS_MAX = 20_000;
/** What a process that is killed has not written yet: exchanges that ended this shortly before. */
export const CHAOS_UNWRITTEN_MS = 250;
/** Bytes under way in one direction of a connection that a drill delays: 8 MB in 15 ms is 4 Gbit/s. */
export const DRILL_DELAY_BYTES_MAX = 8 * 1024 * 1024;
/** Longest round trip that a drill emulates. */
export const DRILL_RTT_MS_MAX = 1_000;
/** Turns that a drill gives one process of an agent: processes come and go, conversations stay short. */
export const DRILL_TURNS_MAX = 100;
/** Answered requests that a drill keeps to compare the ledger with; of more it keeps a fair share. */
export const DRILL_MATCHED_REQUESTS_MAX = 65_536;
/** Longest line that is read of an agent: its report of a turn repeats the answer. */
export const AGENT_LINE_CHARS_MAX = 8 * 1024 * 1024;
/** What is kept of the last that an agent said on stderr. */
export const AGENT_STDERR_CHARS_MAX = 1_024;
/** An agent that is to end and does not is killed after this time. */
export const AGENT_END_MS_MAX = 5_000;
/** Troubles of agents that a drill tells in words; it counts all of them. */
export const AGENT_NOTES_MAX = 5;

/** Memory of the database that a report is made in; beyond, it writes to a temporary folder. */
export const REPORT_MEMORY_BYTES_MAX = 512 * 1024 * 1024;
/** Readings of a ledger that is rotated in the midst of each. */
export const REPORT_LOADS_MAX = 5;
/** Keys of one dimension that a summary for people lists; the file of metrics has all. */
export const REPORT_KEYS_MAX = 20;
/** Snapshots of the metrics that `prune` keeps, unless told otherwise. */
export const REPORT_SNAPSHOTS_MAX = 20;
/** Largest price table that is read. */
export const PRICE_FILE_BYTES_MAX = 1024 * 1024;
/** Steps of time on a chart of the report. */
export const REPORT_STEPS_MAX = 80;

/** A known secret shorter than this is not searched for in files: it occurs by chance. */
export const SECRET_CHARS_MIN = 8;
/** What of a file is searched for secrets in one piece. */
export const SEARCH_PIECE_BYTES = 1024 * 1024;
/** Pieces of a line that is longer overlap by this much, or by more for a very long secret. */
export const SEARCH_OVERLAP_BYTES_MIN = 64 * 1024;
/** How long `verify isolation` waits for an answer, or for a proxy to start or end, ms. */
export const ISOLATION_ANSWER_MS_MAX = 30_000;
/** Exchanges that `verify isolation` makes, unless told otherwise, and the most that it takes. */
export const ISOLATION_REQUESTS = 2_000;
export const ISOLATION_REQUESTS_MAX = 100_000;
/** Findings that a search names; the rest is counted. */
export const FINDINGS_MAX = 50;
/** Largest record of a session that is read. */
export const SESSION_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** The soak of a session must last this long (contract, acceptance gates). */
export const GATE_SOAK_MS_MIN = 30 * 60_000;
