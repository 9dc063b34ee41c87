using System.Net;
using System.Net.Sockets;

namespace Rescind.Server.Limits;

/// <summary>An address as callers are told apart by: an IPv6 customer owns a whole /64, so that counts as
/// one.</summary>
internal static class CallerAddress
{
    public static string Of(IPAddress? address)
    {
        if (address is null)
        {
            return "";
        }
        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8))
            : address.ToString();
    }
}
