/**
 * The least that a plugin server on Node.js can be: it answers Kong with the PDK calls of a key-auth request,
 * one after the other, and does nothing else.
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decode, encode } from "@msgpack/msgpack";

const CALLS = [
	{ Method: "kong.client.get_credential", Args: [] },
	{ Method: "kong.client.get_consumer", Args: [] },
	{ Method: "kong.router.get_service", Args: [] },
	{
		Method: "kong.service.request.set_header",
		Args: ["X-Custom-Jwt", "a".repeat(600)],
	},
	"ret",
];

const { values } = parseArgs({
	options: {
		"kong-prefix": { type: "string", default: "" },
		"sock-name": { type: "string", default: "" },
	},
});

createServer((socket) => {
	socket.on("data", (chunk) => {
		const [, id, , [argument]] = decode(chunk) as [
			number,
			number,
			string,
			[{ EventId?: number }],
		];
		// How far the request is.
		const { EventId = 0 } = argument;
		const result = { Data: CALLS[EventId], EventId: EventId + 1 };
		socket.write(encode([1, id, null, result]));
	});
}).listen(join(values["kong-prefix"], values["sock-name"]));
