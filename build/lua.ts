/** The plugin in Kong's own process: `lua/` and `core/`, compiled to one `handler.lua`, beside its `schema.lua`. */
import {
	copyFileSync,
	mkdirSync,
	readdirSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import { minify } from "luamin";
import { flattenDiagnosticMessageText } from "typescript";
import { transpileProject } from "typescript-to-lua";
import { version } from "../package.json";
import { packageRoot } from "../schema/package-root";

/** What Konnect streams at most, in bytes (Kong's documentation, read). */
export const MAX_BYTES = 100_000;

/** Members of tables that only the docs read. */
const FOR_DOCS = /^ *(?:means|recognisedBy|gives) = "(?:[^"\\]|\\.)*",?\n/gm;

const HEADER = `-- kong-plugin-x-custom-jwt ${version}, compiled from TypeScript: lua/ and core/ of its repository are the source.
-- Apache-2.0. Contains TypeScriptToLua's library: Copyright (c) 2018 TypeScriptToLua Contributors, MIT License.
`;

/** Compiles the handler. @returns its text */
function handlerLua(): string {
	let bundle = "";
	const { diagnostics } = transpileProject(
		join(packageRoot(), "lua/tsconfig.json"),
		{},
		(_, text) => {
			bundle = text;
		},
	);
	if (diagnostics.length > 0)
		throw new Error(
			diagnostics
				.map(({ messageText, file, start = 0 }) => {
					const at = file?.getLineAndCharacterOfPosition(start);
					const text = flattenDiagnosticMessageText(messageText, "\n");
					return `${file?.fileName}:${(at?.line ?? 0) + 1}: ${text}`;
				})
				.join("\n"),
		);
	const needed = withoutUnused(bundle)
		.replace(FOR_DOCS, "")
		.replaceAll("__TS__", "T_")
		.replace('VERSION = "VERSION"', `VERSION = "${version}"`);
	// Only so does it fit into what Konnect takes. A line for each statement, for the places in errors.
	const small = minify(needed).replaceAll(/;(?=local |function )/g, "\n");
	const handler = `${HEADER}${small}\n`;
	const bytes = Buffer.byteLength(handler);
	if (bytes > MAX_BYTES)
		throw new Error(
			`handler.lua has ${bytes} bytes; Konnect streams ${MAX_BYTES} at most`,
		);
	return handler;
}

/** Without the modules of which only types are imported. */
function withoutUnused(bundle: string): string {
	const [start = "", ...modules] = bundle.split(/^(?=\["[^"]+"\] = function)/m);
	const used = modules.filter((module) => {
		const name = /^\["([^"]+)"\]/.exec(module)?.[1];
		return bundle.includes(`require("${name}"`);
	});
	return start + used.join("");
}

/** What the handler is made of, besides the compiler. */
const SOURCES = ["lua", "core", "schema", "build/lua.ts", "package.json"];

/** TypeScriptToLua's library, of which the handler has a part. */
const LIBRARY =
	"node_modules/typescript-to-lua/dist/lualib/universal/lualib_bundle.lua";

/**
 * Writes `dist/lua/`, unless it is newer than its sources: the compiler takes ten seconds.
 *
 * @returns an account of what of others is in it, as esbuild gives it
 */
export function buildLua(): Metafile {
	const folder = join(packageRoot(), "dist/lua");
	const handler = join(folder, "handler.lua");
	const built = changed(handler);
	if (!SOURCES.every((source) => newest(join(packageRoot(), source)) < built)) {
		const text = handlerLua();
		mkdirSync(folder, { recursive: true });
		writeFileSync(handler, text);
	}
	copyFileSync(
		join(packageRoot(), "schema/schema.lua"),
		join(folder, "schema.lua"),
	);
	return {
		inputs: {
			"lua/handler.ts": {
				bytes: 0,
				imports: [{ path: LIBRARY, kind: "import-statement" }],
			},
			[LIBRARY]: { bytes: 0, imports: [] },
		},
		outputs: {
			"dist/lua/handler.lua": {
				bytes: 0,
				imports: [],
				exports: [],
				inputs: {
					"lua/handler.ts": { bytesInOutput: 1 },
					[LIBRARY]: { bytesInOutput: 1 },
				},
			},
		},
	};
}

/** When a file was written last, in milliseconds since the epoch; 0 when there is none. */
function changed(path: string): number {
	return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The same of the newest file in a folder. */
function newest(path: string): number {
	const files = statSync(path).isDirectory()
		? readdirSync(path).map((file) => join(path, file))
		: [path];
	return Math.max(...files.map(changed));
}
