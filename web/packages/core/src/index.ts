export * from "./contract/contract.gen";
export * from "./contract/errors";
export * from "./contract/fold";
export * from "./contract/states";
export * from "./contract/types";
