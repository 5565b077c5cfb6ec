import {
	type CryptoKey,
	importJWK,
	type JWK,
	type JWTPayload,
	SignJWT,
} from "jose";
import { publicHalf } from "../../jwk/public-half";

/** What tokens for one backend are made with. */
export interface Maker {
	/** The private JWK that the gateway signs with. */
	jwk: JWK;
	/** Claims that the backend accepts, without times. */
	claims: JWTPayload;
	/** URL of a JWK Set with the public half of `foreignJwk`, where nobody may look. */
	foreignJku: string;
	/** A private JWK of somebody else's. */
	foreignJwk: JWK;
}

/**
 * Signs a token.
 *
 * @param jwk private JWK with `alg` and `kid`
 * @param claims the token lasts a minute unless they have an `exp`; `undefined` leaves it out
 * @param header more members of the protected header
 */
export async function sign(
	jwk: JWK,
	claims: JWTPayload,
	header: object = {},
): Promise<string> {
	const { alg = "", kid } = jwk;
	return new SignJWT({ iat: now(), exp: now() + 60, ...claims })
		.setProtectedHeader({ typ: "JWT", alg, kid, ...header })
		.sign((await importJWK(jwk)) as CryptoKey);
}

/**
 * Makes tokens that a backend must refuse.
 *
 * @param genuine a token that it accepts
 * @returns tokens by what is wrong with them; `undefined` is none at all
 */
export async function forgeries(
	genuine: string,
	{ jwk, claims, foreignJku, foreignJwk }: Maker,
): Promise<Record<string, string | undefined>> {
	const [header = "", , signature] = genuine.split(".");
	const publicJwk = publicHalf(jwk);
	const payload = base64url({ ...claims, exp: now() + 60 });
	return {
		"no token": undefined,
		"no JWT": "nonsense",
		tampered: `${header}.${base64url({ ...claims, exp: now() + 60, client_id: "somebody" })}.${signature}`,
		"without a signature": `${header}.${payload}.`,
		"of algorithm none": `${base64url({ typ: "JWT", alg: "none", kid: jwk.kid })}.${payload}.`,
		"HS256 with the public key": await sign(
			{
				kty: "oct",
				k: Buffer.from(JSON.stringify(publicJwk)).toString("base64url"),
				alg: "HS256",
				kid: jwk.kid,
			},
			claims,
		),
		expired: await sign(jwk, { ...claims, exp: now() - 30 }),
		"without an expiry": await sign(jwk, { ...claims, exp: undefined }),
		"for another audience": await sign(jwk, {
			...claims,
			aud: `${claims.aud}.example`,
		}),
		"without an audience": await sign(jwk, { ...claims, aud: undefined }),
		"of another issuer": await sign(jwk, {
			...claims,
			iss: `${claims.iss}/other`,
		}),
		"without an issuer": await sign(jwk, { ...claims, iss: undefined }),
		"without client_id": await sign(jwk, { ...claims, client_id: undefined }),
		"of a foreign key": await sign(foreignJwk, claims),
		"of a foreign key under our kid": await sign(
			{ ...foreignJwk, kid: jwk.kid },
			claims,
		),
		"of a foreign key that its jku has": await sign(foreignJwk, claims, {
			jku: foreignJku,
		}),
		"of a foreign key that its jwk is": await sign(
			{ ...foreignJwk, kid: jwk.kid },
			claims,
			{ jwk: publicHalf(foreignJwk) },
		),
	};
}

function now(): number {
	return Math.floor(Date.now() / 1000);
}

function base64url(value: object): string {
	return Buffer.from(JSON.stringify(value)).toString("base64url");
}
