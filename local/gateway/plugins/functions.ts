import { LuaFactory } from "wasmoon";
import { callPdk } from "../pdk";
import type { Exit, GatewayRequest } from "../request";
import { standIn } from "./stand-in";

/**
 * Compiles Lua code that sees what Kong's sandbox leaves it of Lua's own (Kong: kong-lua-sandbox.lua), as far as
 * Lua 5.4 has it under the same name, and `kong`.
 */
const COMPILER = `
	return function(code)
		local env = {
			kong = kong, math = math, string = string, table = table,
			assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
			select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = table.unpack,
		}
		return assert(load(code, "=access", "t", env))
	end`;

type Run = (request: GatewayRequest) => Exit | undefined;

/** Compiles the functions of one plugin entry into one that runs them in turn. */
async function compile(codes: string[]): Promise<Run> {
	const lua = await new LuaFactory().createEngine();
	let request: GatewayRequest;
	let exit: Exit | undefined;
	const pdk =
		(method: string) =>
		(...args: unknown[]) => {
			const outcome = callPdk(request, method, args, () => {});
			if (!("exit" in outcome)) return outcome.result;
			exit = outcome.exit;
			// Like Kong's, this function does not return.
			throw new Error("exit");
		};
	lua.global.set("kong", {
		ctx: {
			get shared() {
				return new Proxy(request.shared, {
					// Lua's nil comes as null, which wasmoon could not give back.
					set: (shared, key, value) =>
						Reflect.set(shared, key, value ?? undefined),
				});
			},
		},
		request: { get_header: pdk("kong.request.get_header") },
		response: { exit: pdk("kong.response.exit") },
		service: {
			request: {
				clear_header: pdk("kong.service.request.clear_header"),
				set_header: pdk("kong.service.request.set_header"),
			},
		},
	});
	const load: (code: string) => () => void = lua.doStringSync(COMPILER);
	const functions = codes.map((code) => load(code));
	return (current) => {
		request = current;
		exit = undefined;
		try {
			for (const run of functions) run();
		} catch (error) {
			if (!exit) throw error;
		}
		return exit;
	};
}

/** Kong's pre-function and post-function: Lua in the access phase, with the few PDK functions that guards need. */
function functions(priority: number) {
	const compiled = new WeakMap<object, Promise<Run>>();
	return standIn(
		priority,
		{ access: { type: "array", items: { type: "string" }, default: [] } },
		async (request, config) => {
			const run = compiled.get(config) ?? compile(config.access);
			compiled.set(config, run);
			return (await run)(request);
		},
	);
}

export const preFunction = functions(1_000_000);
export const postFunction = functions(-1000);
