import { channel } from "node:diagnostics_channel";

/** A token was signed. */
export interface Signed {
	alg: string;
	/** How long the signature took, in seconds. */
	seconds: number;
	/** Of the token. */
	bytes: number;
}

/** A token was looked for that may be given again (`reuse_for`). */
export interface Looked {
	/** Whether there was one. */
	hit: boolean;
}

/** A request was refused. */
export interface Refused {
	/** See errors.ts. */
	reason: string;
}

/** Publishes `Signed`, for whoever runs the plugin and wants to count; costs nothing otherwise. */
export const signedChannel = channel("x-custom-jwt:signed");

/** Publishes `Looked`. */
export const lookedChannel = channel("x-custom-jwt:looked");

/** Publishes `Refused`. */
export const refusedChannel = channel("x-custom-jwt:refused");
