using CsCheck;

namespace Rescind.Tests.Fuzz;

/// <summary>Input as somebody hostile would send it: something good, changed in a few places, or pure
/// noise.</summary>
internal static class Hostile
{
    private const string OddLetters =
        "\0\t\n\r\u0001 \u007f\u0085\u00a0\u00e9\u0130\u2028\u200b\ufeff\ufffe\uffff\ud800\udc00%'\"\\/=+-@,;:.?#[]{}&|<>$*!_0129azAZ~^";

    public static Gen<char> Letter { get; } = Gen.Frequency(
        (3, Gen.Char['a', 'z']), (2, Gen.Char['0', '9']), (3, Gen.Int[0, OddLetters.Length - 1].Select(at => OddLetters[at])),
        (1, Gen.Char));

    /// <summary>Noise.</summary>
    public static Gen<string> Text { get; } = Letter.Array[0, 40].Select(letters => new string(letters));

    public static Gen<T> OneOf<T>(params T[] all) => Gen.Int[0, all.Length - 1].Select(at => all[at]);

    /// <summary>Good texts, changed ones and noise.</summary>
    public static Gen<string> Texts(Gen<string> good) => Gen.Frequency(
        (1, good), (7, Changed(good.Select(text => text.ToCharArray()), Letter).Select(letters => new string(letters))),
        (2, Text));

    /// <summary>Good bytes, changed ones and noise.</summary>
    public static Gen<byte[]> Bytes(Gen<byte[]> good) => Gen.Frequency(
        (1, good), (7, Changed(good, Gen.Byte)), (2, Gen.Byte.Array[0, 200]));

    /// <summary>Something good after one to four changes.</summary>
    public static Gen<T[]> Changed<T>(Gen<T[]> good, Gen<T> one) => Gen.Select(
        good, Gen.Select(Gen.Int[0, 6], Gen.UInt, Gen.UInt, one.Array[0, 6]).Array[1, 4],
        (whole, changes) => changes.Aggregate(
            whole, (now, change) => Change(now, change.Item1, change.Item2, change.Item3, change.Item4)));

    private static T[] Change<T>(T[] whole, int kind, uint first, uint second, T[] other)
    {
        var from = (int)(first % ((uint)whole.Length + 1));
        var to = Math.Min(whole.Length, from + (int)(second % 9));
        return kind switch
        {
            0 => whole[..from],
            1 => [.. whole[..from], .. whole[to..]],
            2 => [.. whole[..from], .. other, .. whole[from..]],
            3 => [.. whole[..from], .. whole[from..to], .. whole[from..]],
            4 => [.. whole[from..], .. whole[..from]],
            _ => [.. whole[..from], .. other, .. whole[Math.Min(whole.Length, from + other.Length)..]],
        };
    }
}
