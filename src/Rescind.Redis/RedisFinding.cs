namespace Rescind;

/// <summary>Something about a Redis that an operator should know.</summary>
/// <param name="Sentence">What was found, and the remedy.</param>
/// <param name="IsUnsafe">Whether revocations may get lost by it: health is degraded while it lasts.
/// Otherwise it is advice, or something that the service keeps to itself.</param>
public sealed record RedisFinding(string Sentence, bool IsUnsafe);
