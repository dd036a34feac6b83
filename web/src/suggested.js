/* What a reader accepts of the suggestions for one meter: [{ dp, key, accept }]. Pure. */
export const keyOf = ({ channel, quantity }) => (channel ? `${channel}.${quantity}` : quantity);

/* Accepts a suggestion, or no longer. A datapoint has one meaning, and a series comes from one datapoint. */
export function toggled(list, dp, s) {
  const rest = list.filter((c) => c.dp !== dp && (!s.quantity || c.key !== keyOf(s)));
  return list.some((c) => c.accept === s.accept) ? rest : [...rest, { dp, key: keyOf(s), accept: s.accept }];
}
