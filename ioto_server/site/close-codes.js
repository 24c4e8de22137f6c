// Close codes in words: RFC 6455 section 7.4 and the IANA WebSocket Close Code registry.

/** code, name, what it says, and whether it can be on the wire at all (7.4.1 reserves three that cannot). */
export const CODES = [
  [1000, "normal closure", "The purpose of the connection has been fulfilled."],
  [1001, "going away", "The server is stopping, or the page was left; also a time limit of the server."],
  [1002, "protocol error", "The other side broke a rule of the protocol."],
  [1003, "unsupported data", "A kind of data the other side cannot take, such as binary where only text is understood."],
  [1004, "reserved", "Has no meaning yet."],
  [1005, "no status received", "The Close frame carried no code. Never sent; the browser reports it."],
  [1006, "abnormal closure", "The connection ended without a Close frame. Never sent; the browser reports it."],
  [1007, "invalid payload data", "The content did not fit its type, such as text that is not UTF-8."],
  [1008, "policy violation", "A rule of the other side forbids it; also a client that reads too slowly."],
  [1009, "message too big", "A message or frame was over the limit of the other side."],
  [1010, "mandatory extension", "The server did not agree to an extension that the client needs."],
  [1011, "internal error", "The server met something unexpected, or the peer answered no ping."],
  [1012, "service restart", "The server restarts. Connecting again soon will work."],
  [1013, "try again later", "The server has too much to do."],
  [1014, "bad gateway", "A gateway got a wrong answer from the server behind it."],
  [1015, "TLS handshake failed", "No secure connection could be made. Never sent; the browser reports it."],
  [3000, "unauthorized", "Registered: sign in first."],
  [3003, "forbidden", "Registered: signed in, but not allowed."],
  [3008, "timeout", "Registered: took too long."],
];

export const RANGES = [
  [1016, 2999, "unassigned", "Kept for later versions of the protocol."],
  [3000, 3999, "library or framework code", "Registered with IANA by libraries and frameworks."],
  [4000, 4999, "private code", "Agreed between this application's client and server."],
];

/** {name, meaning} of any code; what no rule covers says so. */
export function describe(code) {
  const known = CODES.find(([each]) => each === code);
  if (known) return { name: known[1], meaning: known[2] };
  const range = RANGES.find(([first, last]) => code >= first && code <= last);
  if (range) return { name: range[2], meaning: range[3] };
  return { name: "outside the protocol", meaning: "No WebSocket close code has this number." };
}

/** What a page may give to WebSocket.close (the WebSocket standard is narrower than the RFC). */
export const mayClose = (code) => code === 1000 || (code >= 3000 && code <= 4999);

/** "1001 going away": one line for logs and the state. */
export const closeText = (code) => `${code} ${describe(code).name}`;
