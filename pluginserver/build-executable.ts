/**
 * Makes the plugin server one executable that needs no Node.js: `npm run build:executable`. It is this
 * machine's Node.js with the bundle inside (Node.js: single executable applications).
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, rmSync } from "node:fs";
import { inject } from "postject";

const EXECUTABLE = "dist/x-custom-jwt-pluginserver";
const CONFIG = "pluginserver/sea-config.json";

async function main() {
	execFileSync(process.execPath, ["--experimental-sea-config", CONFIG]);
	const blob = JSON.parse(readFileSync(CONFIG, "utf8")).output;
	rmSync(EXECUTABLE, { force: true });
	copyFileSync(process.execPath, EXECUTABLE);
	chmodSync(EXECUTABLE, 0o755);
	await inject(EXECUTABLE, "NODE_SEA_BLOB", readFileSync(blob), {
		sentinelFuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2",
	});
	rmSync(blob);
}

main();
