/**
 * A plugin with the defects that ours must not have, in the place of x-custom-jwt: what escapes a
 * plugin is for the plugin server to handle. The member `fault` of the configuration says which.
 */
import type { Decision } from "../../core/decisions";
import { METHOD, PATH } from "../../core/questions";
import type { Ask } from "../../plugins/x-custom-jwt/facts";

const NOTHING: Decision = {
	log: [],
	logValues: [],
	clearedHeaders: [],
	upstreamHeaders: [],
	downstreamHeaders: [],
};

const FORBIDDEN: Decision = {
	...NOTHING,
	exit: { status: 403, body: {} },
};

const asked: Promise<unknown>[] = [];

const FAULTS: Record<string, (ask: Ask) => unknown> = {
	"throws at once": () => {
		throw new Error("secret of the plugin");
	},
	"throws after it asked": async (ask) => {
		await ask([METHOD]);
		throw new TypeError("secret of the plugin");
	},
	"rejects with undefined": () => Promise.reject(undefined),
	"rejects with a text": () => Promise.reject("secret of the plugin"),
	"rejects with what has no name": () =>
		Promise.reject({ name: Object.create(null) }),
	"decides nothing": () => undefined,
	"decides what cannot be written": () => ({
		...NOTHING,
		upstreamHeaders: [["x-deep", deep()]],
	}),
	"hangs at once": () => new Promise(() => {}),
	"hangs after it asked": async (ask) => {
		await ask([METHOD]);
		return new Promise(() => {});
	},
	"asks twice at once": async (ask) => {
		await Promise.all([ask([METHOD]), ask([PATH])]);
		return NOTHING;
	},
	"asks when it has decided": async (ask) => {
		setTimeout(() => asked.push(ask([PATH]).catch(() => {})), 20);
		return NOTHING;
	},
	"throws in a callback": () => {
		setImmediate(() => {
			throw new TypeError("secret of the plugin");
		});
		return new Promise(() => {});
	},
	"rejects behind its back": async () => {
		Promise.reject(new TypeError("secret of the plugin"));
		return FORBIDDEN;
	},
	"does nothing": () => NOTHING,
};

function deep(): unknown {
	const loop: unknown[] = [];
	loop.push(loop);
	return loop;
}

export const Name = "x-custom-jwt";
export const Version = "0.0.0";
export const Priority = 1;
export const Schema = [{ fault: { type: "string" } }];

export class Plugin {
	readonly key = { alg: "ES256", kid: "faulty" };
	readonly #fault: string;

	constructor({ fault }: { fault: string }) {
		this.#fault = fault;
	}

	async decide(ask: Ask): Promise<Decision> {
		return (await FAULTS[this.#fault]?.(ask)) as Decision;
	}
}
