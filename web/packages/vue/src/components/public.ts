import type { AllowedComponentProps, ComponentCustomProps, VNodeProps } from "vue";

/**
 * What a template may pass: written out, since what `defineComponent` infers is made of types that
 * differ between Vue 3.4 and 3.5.
 */
export type PublicComponent<Props> = new () => {
  $props: Props & VNodeProps & AllowedComponentProps & ComponentCustomProps;
};
