/** What the sample backend and the inspector page tell each other, as JSON. */
import type { Expectations } from "../backend/verify";

/** A request that reached the sample backend. */
export interface ReceivedRequest {
	/** Counts up, so that the page can tell two requests apart. */
	id: number;
	/** Milliseconds since the epoch. */
	time: number;
	/** Path the client asked the gateway for: the route's, and what follows it. */
	path: string;
	/** The consumer that the verified token names in `act`. */
	consumer?: string;
	/** Status of the backend's answer. */
	status: number;
	/** Why the backend refused it. */
	reason?: string;
	/** Value of `X-Custom-Jwt`; empty without one. */
	token: string;
}

/** What the page has to know before it can start. */
export interface Settings {
	/** URL of the gateway's JWK Set, as a browser reaches it. */
	jwksUrl: string;
	expectations: Expectations;
	/** Names of the flows that the backend can send. */
	flows: string[];
}

/** What the gateway answered to a flow. */
export interface FlowOutcome {
	status: number;
	body: string;
}
