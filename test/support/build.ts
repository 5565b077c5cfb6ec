import { execFileSync } from "node:child_process";
import { packageRoot } from "../../schema/package-root";

/** Builds what the tests start as processes, once per run (Jest's `globalSetup`). */
export default function build(): void {
	execFileSync("npm", ["run", "-s", "build"], {
		cwd: packageRoot(),
		stdio: "pipe",
	});
}
