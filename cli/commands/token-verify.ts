import { Command, Option } from "@commander-js/extra-typings";
import { PUBLIC_KEY_ALGORITHMS } from "../../jwk/algorithms";
import { type Verdict, verifyToken } from "../../jwk/verify";
import { json } from "../keys";
import { asJson, EXIT, now, print, printLine } from "../output";
import {
	type Described,
	describe,
	inLines,
	loadJwks,
	readToken,
} from "../token";

/** `x-custom-jwt token verify` */
export function tokenVerify() {
	return new Command("verify")
		.description("verify a token's signature, times, issuer and audience")
		.argument("<token>", "JWT, with or without Bearer; - is standard input")
		.requiredOption(
			"--jwks <file or url>",
			"JWK Set, public PEM or certificate to verify with; - is standard input",
		)
		.option("--iss <issuer>", "the claim iss must be this")
		.option("--aud <audience>", "the claim aud must be or contain this")
		.addOption(
			new Option(
				"--alg <alg...>",
				"accepted algorithms (default: all of a key pair)",
			).choices(PUBLIC_KEY_ALGORITHMS),
		)
		.addOption(asJson())
		.addHelpText(
			"after",
			`
The URL in the token's own jku is never fetched. Keys of a private CA: set NODE_EXTRA_CA_CERTS. Example:
  $ echo "$TOKEN" | npx kong-plugin-x-custom-jwt token verify - --jwks http://localhost:8000/x-custom-jwt/jwks \\
      --iss https://kong-gateway:8443/x-custom-jwt --aud http://httpbin:9000/anything`,
		)
		.action(async (argument, options) => {
			const text = readToken(argument);
			const time = now();
			const verdict = await verifyToken(text, {
				...(await loadJwks(options.jwks)),
				issuer: options.iss,
				audience: options.aud,
				algorithms: options.alg ?? PUBLIC_KEY_ALGORITHMS,
				now: time,
			});
			process.exitCode = verdict.verified ? EXIT.ok : EXIT.no;
			const described = describedOf(text, time);
			const notes = [...verdict.notes, ...notesOn(described, options)];
			if (options.json) return print(json({ ...verdict, notes, ...described }));
			if (described) print(inLines(described));
			printVerdict({ ...verdict, notes });
		});
}

function describedOf(text: string, time: number): Described | undefined {
	try {
		return describe(text, time);
	} catch {
		// The verdict says why.
		return undefined;
	}
}

function notesOn(
	described: Described | undefined,
	{ jwks, iss, aud }: { jwks: string; iss?: string; aud?: string },
): string[] {
	const jku = described?.header.jku;
	const unchecked = [!iss && "--iss", !aud && "--aud"].filter(Boolean);
	return [
		...(jku === undefined || jku === jwks
			? []
			: ["the token's own jku was not fetched: a forger writes it too"]),
		...(unchecked.length
			? [`not checked for want of ${unchecked.join(" and ")}`]
			: []),
	];
}

function printVerdict({ verified, reason, signedBy, notes }: Verdict): void {
	print("");
	if (signedBy) printLine(`signature verified with ${signedBy}`);
	for (const note of notes) printLine(`note: ${note}`);
	printLine(verified ? "VERIFIED" : `NOT VERIFIED: ${reason}`);
}
