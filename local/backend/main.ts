/** The sample backend as a program, for its container. */
import { join } from "node:path";
import { program } from "commander";
import { type BackendOptions, startBackend } from "./backend";

interface Options extends Omit<BackendOptions, "inspector"> {
	browserJwksUrl: string;
}

program
	.description("Sample backend: verifies the token in X-Custom-Jwt")
	.option("--host <address>", "address to listen on", "0.0.0.0")
	.option("--port <number>", "port to listen on", Number, 9000)
	.option(
		"--jwks-url <url>",
		"JWK Set of the gateway",
		"http://kong:8000/x-custom-jwt/jwks",
	)
	.option(
		"--issuer <url>",
		"accepted claim iss",
		"https://kong-gateway:8443/x-custom-jwt",
	)
	.option(
		"--audience <url>",
		"accepted claim aud",
		"http://httpbin:9000/anything",
	)
	.option("--algorithms <alg...>", "accepted algorithms", ["RS256"])
	.option(
		"--browser-jwks-url <url>",
		"JWK Set of the gateway, as a browser reaches it",
		"http://localhost:8000/x-custom-jwt/jwks",
	)
	.parse();

async function main() {
	const { browserJwksUrl, ...options } = program.opts<Options>();
	const backend = await startBackend({
		...options,
		inspector: {
			folder: join(__dirname, "inspector"),
			jwksUrl: browserJwksUrl,
		},
	});
	console.log(`sample backend on port ${backend.port}`);
	for (const signal of ["SIGINT", "SIGTERM"] as const)
		process.once(signal, () => backend.close());
}

main();
