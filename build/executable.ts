/**
 * Makes the plugin server one executable that needs no Node.js: `npm run build:executable`. It is this machine's Node.js
 * with the bundle inside (Node.js: single executable applications). The licences of all that is in it are beside it.
 */
import { execFileSync } from "node:child_process";
import {
	existsSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Metafile } from "esbuild";
import { inject } from "postject";
import { packageRoot } from "../schema/package-root";
import { bundle } from "./bundles";
import { licenseTexts, packagesIn } from "./third-party";

/** The executable; what it holds of others, on which terms, is in the second file. */
export const EXECUTABLE = join(packageRoot(), "dist/x-custom-jwt-pluginserver");
export const EXECUTABLE_LICENSES = `${EXECUTABLE}.LICENSES.txt`;

/** Has SIGUSR1 open no debugger, from which the private key can be read. */
const NO_DEBUGGER = "--disable-sigusr1";

/** Where Node.js' own licence lies: in its archive and Docker image, or in packages of Debian and Fedora. */
function nodeLicense(): string {
	const places = [
		join(dirname(process.execPath), "../LICENSE"),
		"/usr/share/doc/nodejs/LICENSE",
		"/usr/share/doc/nodejs/copyright",
		"/usr/share/licenses/nodejs/LICENSE",
	];
	const place = places.find((path) => existsSync(path));
	if (place === undefined)
		throw new Error(
			`the executable is ${process.execPath} with more inside: its licence has to go with it, and is none of ${places.join(", ")}`,
		);
	return readFileSync(place, "utf8").trim();
}

/**
 * Builds the executable and its licences.
 *
 * @returns esbuild's account of the bundle in it
 * @throws when the licence of this machine's Node.js is not found
 */
export async function buildExecutable(): Promise<Metafile> {
	const license = nodeLicense();
	const metafile = await bundle("pluginserver");
	const folder = mkdtempSync(join(tmpdir(), "x-custom-jwt-"));
	try {
		const blob = join(folder, "blob");
		const config = join(folder, "sea-config.json");
		writeFileSync(
			config,
			JSON.stringify({
				// It is written into the executable, so it must not say where this folder is.
				main: "dist/x-custom-jwt-pluginserver.js",
				output: blob,
				disableExperimentalSEAWarning: true,
				useCodeCache: true,
				// Older ones do not read it: the program closes its debugger itself (pluginserver/debugger.ts).
				execArgv: process.allowedNodeEnvironmentFlags.has(NO_DEBUGGER)
					? [NO_DEBUGGER]
					: [],
			}),
		);
		// With a seed of its own the code cache is the same in each build, and still taken when it runs.
		execFileSync(
			process.execPath,
			["--random-seed=1", "--experimental-sea-config", config],
			{ cwd: packageRoot(), stdio: "pipe" },
		);
		rmSync(EXECUTABLE, { force: true });
		writeFileSync(EXECUTABLE, readFileSync(process.execPath), {
			flag: "wx",
			mode: 0o755,
		});
		await inject(EXECUTABLE, "NODE_SEA_BLOB", readFileSync(blob), {
			sentinelFuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2",
		});
	} finally {
		rmSync(folder, { recursive: true });
	}
	writeFileSync(
		EXECUTABLE_LICENSES,
		`Node.js ${process.version}\n\n${license}\n\n${"-".repeat(80)}\n\n${licenseTexts(packagesIn([metafile]))}`,
	);
	return metafile;
}

if (require.main === module)
	buildExecutable().then(
		// Before it, postject warns of a section that Node.js has not got.
		() => console.log(`wrote ${relative(packageRoot(), EXECUTABLE)}`),
		(error) => {
			console.error(error);
			process.exitCode = 1;
		},
	);
