namespace Rescind.Conformance;

/// <summary>A log broke the contract of <see cref="IRevocationLog"/>; the message says which
/// sentence.</summary>
public sealed class ContractException : Exception
{
    /// <summary>Makes one without a message.</summary>
    public ContractException()
    {
    }

    /// <summary>Makes one.</summary>
    /// <param name="message">The sentence that was broken.</param>
    public ContractException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one.</summary>
    /// <param name="message">The sentence that was broken.</param>
    /// <param name="inner">What the log threw.</param>
    public ContractException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
