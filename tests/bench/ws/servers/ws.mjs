// ws: the WebSocket server of Node.js, from npm. `node ws.mjs PORT`, on 127.0.0.1.

import { createRequire } from "node:module";

// The package stands in a folder of its own, apart from this file.
const { WebSocketServer } = createRequire(process.cwd() + "/")("ws");

const subscribers = new Set();
const server = new WebSocketServer({
    host: "127.0.0.1",
    port: Number(process.argv[2]),
    maxPayload: 1 << 24,
    perMessageDeflate: false,
    backlog: 1024,
});

server.on("connection", (socket, request) => {
    if (request.url === "/ws/subscribe") {
        subscribers.add(socket);
        socket.on("close", () => subscribers.delete(socket));
    } else if (request.url === "/ws/publish") {
        socket.on("message", (data, binary) => subscribers.forEach((one) => one.send(data, { binary })));
    } else {
        socket.on("message", (data, binary) => socket.send(data, { binary }));
    }
});
