/** What the backends of docs/backends.md are built and started with. */
import { join } from "node:path";
import { packageRoot } from "../../schema/package-root";

/** A command and its arguments. */
export type CommandLine = [program: string, ...args: string[]];

/** A folder of this one, with what one tool chain makes of it. */
export interface ToolChain {
	/** Prints its version, and exits 0 where the tool chain can be had. */
	version: CommandLine;
	/** What is run once, in a copy of the folder. */
	install: CommandLine[];
	/** Commands that start a backend on `PORT`, by the backend's name. */
	start: Record<string, CommandLine>;
}

/** Where the examples are. */
export const FOLDER = join(packageRoot(), "examples/backends");

/** All examples, by their folder. */
export const TOOL_CHAINS: Record<string, ToolChain> = {
	node: {
		version: ["node", "--version"],
		install: [
			// Those of the package, when npm runs this, are not for the packages of the examples.
			[
				"npm",
				"install",
				"--engine-strict=false",
				"--ignore-scripts",
				"--no-audit",
				"--no-fund",
			],
		],
		start: {
			express: ["node", "express.js"],
			fastify: ["node", "fastify.js"],
			hono: ["node", "hono.js"],
		},
	},
	python: {
		version: ["python3", "--version"],
		install: [
			["python3", "-m", "venv", ".venv"],
			[".venv/bin/pip", "install", "--quiet", "-r", "requirements.txt"],
		],
		start: { fastapi: [".venv/bin/python", "main.py"] },
	},
	go: {
		version: ["go", "version"],
		install: [["go", "build", "-o", "backend", "."]],
		start: { "net-http": ["./backend"] },
	},
	java: {
		version: ["mvn", "--version"],
		install: [["mvn", "--quiet", "--batch-mode", "package"]],
		start: { "spring-boot": ["java", "-jar", "target/backend.jar"] },
	},
	rust: {
		version: ["cargo", "--version"],
		install: [["cargo", "build", "--quiet"]],
		start: { axum: ["target/debug/backend"] },
	},
};
