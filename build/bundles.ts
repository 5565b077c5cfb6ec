/** The bundles in `dist/`: what goes into each and how it is built. */
import {
	closeSync,
	fchmodSync,
	mkdirSync,
	openSync,
	readFileSync,
	writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { packageRoot } from "../schema/package-root";
import { buildLua } from "./lua";
import { licenseComment, packagesIn } from "./third-party";

/** Names a Node.js that is too old, before anything else runs. esbuild's own directive would come too late. */
const CHECK = `"use strict";\n${readFileSync(join(__dirname, "node-version.js"), "utf8")}`;

/** The oldest Node.js of `engines` in package.json; older ones still read the file as far as to name themselves. */
const ON_NODE = {
	platform: "node",
	target: "node20.19",
	supported: {
		"logical-assignment": false,
		"nullish-coalescing": false,
		"optional-chain": false,
	},
	banner: { js: CHECK },
} satisfies BuildOptions;

/** What Node.js 12 does not read either, in bundles where it may cost time. */
const ON_OLD_NODE = {
	...ON_NODE,
	supported: {
		...ON_NODE.supported,
		"class-private-accessor": false,
		"class-private-brand-check": false,
		"class-private-method": false,
		"class-static-blocks": false,
	},
} satisfies BuildOptions;

const BUNDLES = {
	plugin: {
		...ON_NODE,
		entryPoints: ["plugins/x-custom-jwt/index.ts"],
		outfile: "dist/plugins/x-custom-jwt.js",
	},
	pluginserver: {
		...ON_NODE,
		entryPoints: ["pluginserver/main.ts"],
		outfile: "dist/x-custom-jwt-pluginserver.js",
		minifySyntax: true,
	},
	backend: {
		...ON_OLD_NODE,
		entryPoints: ["local/backend/main.ts"],
		outfile: "dist/backend.js",
	},
	inspector: {
		entryPoints: ["index.html", "style.css", "icon.svg", "page.ts"].map(
			(file) => `local/inspector/page/${file}`,
		),
		outdir: "dist/inspector",
		format: "esm",
		target: "es2022",
		minify: true,
		loader: { ".html": "copy", ".svg": "copy" },
	},
	cli: {
		...ON_OLD_NODE,
		entryPoints: ["cli/main.ts"],
		outfile: "dist/cli/x-custom-jwt.js",
		external: ["kong-pdk", "ts-node", "wasmoon"],
		banner: { js: `#!/usr/bin/env node\n${CHECK}` },
	},
} satisfies Record<string, BuildOptions>;

/** A bundle's name: an argument of `npm run build`. */
export type BundleName = keyof typeof BUNDLES | "lua";

/** All bundles there are. */
export const BUNDLE_NAMES = [...Object.keys(BUNDLES), "lua"] as BundleName[];

/**
 * Builds a bundle. Each JavaScript file ends with the licence texts of the packages in it, so that it can be handed on
 * alone.
 *
 * @returns an account of what is in it, as esbuild gives it; paths are relative to the package's folder
 */
export async function bundle(name: BundleName): Promise<Metafile> {
	if (name === "lua") return buildLua();
	const root = packageRoot();
	const { metafile, outputFiles } = await build({
		...BUNDLES[name],
		absWorkingDir: root,
		bundle: true,
		metafile: true,
		write: false,
	});
	const comment = licenseComment(packagesIn([metafile]));
	for (const { path, contents } of outputFiles) {
		mkdirSync(dirname(path), { recursive: true });
		const file = openSync(path, "w");
		try {
			writeFileSync(file, contents);
			if (path.endsWith(".js")) writeFileSync(file, `\n${comment}`);
			if (path === join(root, BUNDLES.cli.outfile)) fchmodSync(file, 0o755);
		} finally {
			closeSync(file);
		}
	}
	return metafile;
}
