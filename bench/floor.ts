/**
 * The least that a plugin server on Node.js can be: it answers Kong with the PDK calls of a key-auth request,
 * all it asks in one write and the rest in another, and does nothing else.
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FrameReader, framesOf, TOO_LONG } from "../pluginserver/frames";
import { PDK, RpcCall, RpcReturn } from "../pluginserver/messages";
import { decode } from "../pluginserver/protobuf";

/** Made once: it is not encoding that is measured. */
const QUESTIONS = framesOf((frames) => {
	for (const v of ["authenticated_credential", "authenticated_consumer"]) {
		frames.text(PDK.getCtx.name);
		frames.message(PDK.getCtx.takes, { v });
	}
	frames.text(PDK.getService.name);
	frames.message(PDK.getService.takes, {});
});
const QUESTION_COUNT = 3;
const HEADER = { k: "X-Custom-Jwt", v: "a".repeat(600) };

const { values } = parseArgs({
	options: {
		"kong-prefix": { type: "string", default: "" },
		"sock-name": { type: "string", default: "" },
	},
});

createServer((socket) => {
	const reader = new FrameReader(1_000_000);
	let sequence: number | undefined;
	let results = 0;
	/** That of the header comes before the next call. */
	let unread = 0;
	socket.on("data", (chunk) => {
		for (const frame of reader.read(chunk)) {
			if (frame === TOO_LONG) continue;
			if (unread > 0) unread -= 1;
			else if (results > 0) {
				results -= 1;
				if (results > 0) continue;
				unread = 1;
				socket.write(
					framesOf((frames) => {
						frames.text(PDK.setHeader.name);
						frames.message(PDK.setHeader.takes, HEADER);
						frames.text("");
						frames.message(RpcReturn, { sequence });
					}),
				);
			} else {
				const call = decode(RpcCall, frame);
				sequence = call.sequence;
				if (call.cmd_handle_event) {
					results = QUESTION_COUNT;
					socket.write(QUESTIONS);
				} else {
					const instance_status = { instance_id: 1 };
					socket.write(
						framesOf((frames) =>
							frames.message(RpcReturn, { sequence, instance_status }),
						),
					);
				}
			}
		}
	});
}).listen(join(values["kong-prefix"], values["sock-name"]));
