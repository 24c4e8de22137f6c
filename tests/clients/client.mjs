// The npm client `ws` plays scenes on the daemon at the given URL and prints what it saw, as JSON.
import { createHash } from "node:crypto";
import { WebSocket } from "ws";

const [base] = process.argv.slice(2);
setTimeout(() => process.exit(3), 60_000);

function open(path, protocols = []) {
    const socket = new WebSocket(base + path, protocols, { perMessageDeflate: false });
    return new Promise((resolve, reject) => {
        socket.once("open", () => resolve(socket));
        socket.once("unexpected-response", (request, response) => {
            let body = "";
            response.on("data", (chunk) => (body += chunk));
            response.on("end", () => reject({ status: response.statusCode, text: body.trim() }));
        });
        socket.once("error", reject);
    });
}

const next = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

async function close(socket, ...args) {
    const closed = next(socket, "close");
    socket.close(...args);
    const [code, reason] = await closed;
    return [code, reason.toString()];
}

const seen = { echoes: [] };

const echo = await open("/ws/echo");
for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
    for (const binary of [false, true]) {
        const message = Buffer.alloc(size, binary ? createHash("sha256").update("seed").digest() : "abcdefg");
        const answer = next(echo, "message");
        echo.send(message, { binary });
        const [data, isBinary] = await answer;
        seen.echoes.push([size, binary, isBinary === binary && data.equals(message)]);
    }
}

let answer = next(echo, "message");
echo.send("in ", { fin: false });
echo.send("three ", { fin: false });
echo.send("parts", { fin: true });
seen.fragments = (await answer)[0].toString();

answer = next(echo, "pong");
echo.ping("are you there?");
seen.pong = (await answer)[0].toString();

seen.close = await close(echo, 4001, "bye");
seen.emptyClose = await close(await open("/ws/echo"));

const chat = await open("/ws/chat", ["superchat", "chat"]);
seen.protocol = chat.protocol;
await close(chat, 1000);

seen.refusedProtocol = await open("/ws/chat", ["superchat"]).catch((refusal) => refusal);
seen.notFound = (await open("/ws/nothing-here").catch((refusal) => refusal)).status;

// A refused request leaves its connection open for another one: the program would wait for its end.
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
