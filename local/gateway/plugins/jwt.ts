import { createPublicKey, createSecretKey } from "node:crypto";
import { compactVerify, type JWTPayload } from "jose";
import { decodeToken } from "../../../jwk/token";
import { type Credential, consumerOf } from "../entities";
import type { Exit, GatewayRequest } from "../request";
import { securityStandIn } from "./stand-in";

/** Kong's jwt plugin, reading the token from `Authorization` or the query argument `jwt`. */
export const jwt = securityStandIn(
	1450,
	{
		key_claim_name: { type: "string", default: "iss" },
		claims_to_verify: {
			type: "array",
			items: { enum: ["exp", "nbf"] },
			default: [],
		},
		cookie_names: { const: [] },
		header_names: { const: ["authorization"] },
		maximum_expiration: { const: 0 },
		secret_is_base64: { type: "boolean", default: false },
		uri_param_names: { const: ["jwt"] },
	},
	async (request, config, { configuration }) => {
		const tokens = requestTokens(request);
		const token = tokens[0];
		if (!token) return unauthorized("Unauthorized", "Bearer");
		if (tokens.length > 1) return unauthorized("Multiple tokens provided");
		const decoded = decode(token);
		if (!decoded) return unauthorized("Bad token; invalid JSON");
		const { header, claims } = decoded;

		const claim = config.key_claim_name;
		const key = claims[claim] ?? header[claim];
		if (key === undefined)
			return unauthorized(`No mandatory '${claim}' in claims`);
		if (key === "") return unauthorized(`Invalid '${claim}' in claims`);
		// Kong has one of each key; beside it there may be a throw-away one for trying.
		const named = configuration.jwtSecrets.filter(
			(candidate) => candidate.key === key,
		);
		if (named.length === 0)
			return unauthorized(`No credentials found for given '${claim}'`);
		const fitting = named.filter(({ algorithm }) => algorithm === header.alg);
		if (fitting.length === 0) return unauthorized("Invalid algorithm");
		const credential = await firstThatVerifies(
			token,
			fitting,
			config.secret_is_base64,
		);
		if (!credential) return unauthorized("Invalid signature");
		const errors = claimErrors(claims, config.claims_to_verify);
		if (errors) return { ...unauthorized(""), body: errors };

		request.authenticate(
			consumerOf(configuration, credential),
			credential,
			String(credential.key),
		);
		request.shared.authenticated_jwt_token = token;
	},
);

function unauthorized(
	message: string,
	challenge = 'Bearer error="invalid_token"',
): Exit {
	return {
		status: 401,
		body: { message },
		headers: { "www-authenticate": challenge },
	};
}

function requestTokens(request: GatewayRequest): string[] {
	const bearer = /\s*bearer\s+(.+)/i.exec(
		request.header("authorization") ?? "",
	)?.[1];
	const tokens = [...request.url.searchParams.getAll("jwt"), bearer ?? ""];
	return [...new Set(tokens.filter(Boolean))];
}

function decode(token: string) {
	try {
		return decodeToken(token);
	} catch {
		return undefined;
	}
}

async function firstThatVerifies(
	token: string,
	credentials: Credential[],
	secretIsBase64: boolean,
): Promise<Credential | undefined> {
	for (const credential of credentials)
		if (await verifies(token, credential, secretIsBase64)) return credential;
	return undefined;
}

async function verifies(
	token: string,
	{ algorithm, secret, rsa_public_key }: Credential,
	secretIsBase64: boolean,
): Promise<boolean> {
	try {
		const key = String(algorithm).startsWith("HS")
			? createSecretKey(
					Buffer.from(String(secret), secretIsBase64 ? "base64" : "utf8"),
				)
			: createPublicKey(String(rsa_public_key));
		await compactVerify(token, key, { algorithms: [String(algorithm)] });
		return true;
	} catch {
		return false;
	}
}

function claimErrors(
	claims: JWTPayload,
	toVerify: ("exp" | "nbf")[],
): Record<string, string> | undefined {
	const now = Date.now() / 1000;
	const errors: Record<string, string> = {};
	for (const name of toVerify) {
		const value = claims[name];
		if (typeof value !== "number") errors[name] = "must be a number";
		else if (name === "exp" && value <= now) errors[name] = "token expired";
		else if (name === "nbf" && value > now)
			errors[name] = "token not valid yet";
	}
	return Object.keys(errors).length > 0 ? errors : undefined;
}
