/** The plugin in Kong's own process: `lua/` and `core/`, compiled to one `handler.lua`, beside its `schema.lua`. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
export function handlerLua(): string {
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
		.replace('VERSION = "VERSION"', `VERSION = "${version}"`);
	// Only so does it fit into what Konnect takes. A line for each statement, for the places in errors.
	const small = minify(needed).replaceAll(/;(?=local |function )/g, "\n");
	return `${HEADER}${small}\n`;
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

/** Writes `dist/lua/`. */
export function buildLua(): void {
	const folder = join(packageRoot(), "dist/lua");
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, "handler.lua"), handlerLua());
	copyFileSync(
		join(packageRoot(), "schema/schema.lua"),
		join(folder, "schema.lua"),
	);
}
