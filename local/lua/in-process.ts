/** The plugin in Kong's own process, without Kong: the built `handler.lua` in a Lua of WebAssembly. */
import { randomUUID } from "node:crypto";
import { LuaFactory } from "wasmoon";
import { CJSON } from "./cjson";
import { crypto } from "./crypto";
import { PRELUDE } from "./prelude";

/**
 * Kong's PDK for one request, by the names of its functions: `kong.request.get_header` and so on,
 * `kong.response.exit` too. Variables of nginx are `kong.nginx.get_var`, members of `ngx.ctx` and `kong.ctx.shared`
 * are `kong.nginx.get_ctx` and `kong.ctx.shared.get`.
 *
 * @param args what the handler gives it; bytes that are not UTF-8 are U+FFFD
 * @returns the result; undefined is `nil`, and a `Buffer` a string of bytes
 * @throws what raises in Lua
 */
export type Pdk = (method: string, args: unknown[]) => unknown;

/** A loaded handler. */
export interface InProcess {
	/** As Kong reads them from the handler. */
	priority: number;
	version: string;
	/** Names that the handler used and that Kong's sandbox does not have. */
	forbidden: string[];
	/**
	 * Runs the access phase of a request.
	 *
	 * @param conf the plugin entry's configuration; the same object for the same entry, which is prepared once
	 * @param pdk of the request; its `kong.response.exit` ends the phase
	 * @throws when the phase raises: Kong answers 500
	 */
	access(conf: object, pdk: Pdk): void;
}

/** What the handler gets of the machine; tests make it predictable. */
export interface Machine {
	/** @returns milliseconds since the epoch */
	now: () => number;
	random: () => number;
	uuid: () => string;
}

const MACHINE: Machine = {
	now: Date.now,
	random: Math.random,
	uuid: randomUUID,
};

/**
 * Loads a handler.
 *
 * @param handler Lua
 * @throws when it cannot be loaded where Kong would refuse it too
 */
export async function inProcess(
	handler: string,
	machine: Machine = MACHINE,
): Promise<InProcess> {
	const lua = await new LuaFactory().createEngine({ enableProxy: false });
	const { global } = lua;
	const forbidden: string[] = [];
	let pdk: Pdk = noRequest;
	const functions: Record<string, (...args: never[]) => unknown> = {
		...crypto,
		// nginx has milliseconds.
		now: () => machine.now() / 1000,
		random: machine.random,
		uuid: machine.uuid,
		forbidden: (name: string) => forbidden.push(name),
		pdk: (method: string, ...args: unknown[]) =>
			pdk(
				method,
				args.map((arg) => convert(arg, fromBytes)),
			),
	};

	const chunk = (name: string, text: string) => {
		global.loadString(text, `=${name}`);
		global.lua.lua_setglobal(global.address, name);
	};
	chunk("cjson", CJSON);
	chunk("prelude", PRELUDE);
	chunk("handler", handler);
	// What JSON's null is to cjson; Lua itself cannot make one.
	global.lua.lua_pushlightuserdata(global.address, 0);
	global.lua.lua_setglobal(global.address, "null");
	global.set("host", (name: string, args: string) => {
		try {
			const given = JSON.parse(args) as never[];
			return toWire({ value: functions[name]?.(...given) });
		} catch (thrown) {
			return toWire({ error: String((thrown as Error).message) });
		}
	});
	const loaded: {
		priority: number;
		version: string;
		entry: (json: string) => () => string;
	} = lua.doStringSync("return prelude(handler, host, null, cjson(null))");
	const { entry, ...rest } = loaded;
	const entries = new WeakMap<object, () => string>();

	return {
		priority: rest.priority,
		version: rest.version,
		forbidden,
		access(conf, pdkOfRequest) {
			const run = entries.get(conf) ?? entry(toWire(conf));
			entries.set(conf, run);
			pdk = pdkOfRequest;
			try {
				const outcome = run();
				if (outcome.startsWith("raised")) throw new Error(outcome);
			} finally {
				pdk = noRequest;
			}
		},
	};
}

function noRequest(method: string): never {
	throw new Error(`${method} outside a request`);
}

/** Changes all texts in a value, names of members too. */
function convert(value: unknown, change: (text: string) => string): unknown {
	if (typeof value === "string") return change(value);
	if (Buffer.isBuffer(value)) return value.toString("latin1");
	if (Array.isArray(value)) return value.map((one) => convert(one, change));
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value).map(([name, member]) => [
			change(name),
			convert(member, change),
		]),
	);
}

const toBytes = (text: string) => Buffer.from(text).toString("latin1");
const fromBytes = (text: string) => Buffer.from(text, "latin1").toString();

/** JSON in ASCII in which each character is one byte: Lua's texts are bytes, and wasmoon's are UTF-8 without U+0000. */
function toWire(value: unknown): string {
	return (JSON.stringify(convert(value, toBytes)) ?? "null").replace(
		/[\x80-\xff]/g,
		(byte) => `\\u${byte.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
