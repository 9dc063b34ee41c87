namespace Rescind;

/// <summary>Names one entry of one history of a log. Two histories never share a position, so a log that was
/// lost and grew again is noticed. The default value stands before the first entry.</summary>
/// <param name="Number">Grows with each entry of a history; 0 before the first.</param>
/// <param name="History">Random; tells histories apart. One value for a whole history, or one for each
/// entry.</param>
public readonly record struct LogPosition(ulong Number, ulong History)
{
    /// <summary><c>number-history</c>, the history in hexadecimal.</summary>
    public override string ToString() => $"{Number}-{History:x}";
}
