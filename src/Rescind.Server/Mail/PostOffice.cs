// Sends mail in the background, so that how long it takes tells nobody whether there was anything to send.
// What it guarantees: nothing waits for the mail server; a message is tried again for a while, and whoever
// ordered it hears when it is given up. What it trades away: messages that wait are lost when the process
// ends; whoever asked for one asks again.
using System.Threading.Channels;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using Rescind.Server.Operations;
using Rescind.Server.Settings;

namespace Rescind.Server.Mail;

internal sealed class PostOffice(
    ServerSettings settings, TimeProvider clock, ILogger<PostOffice> logger)
    : LastingService(clock, logger)
{
    private const int Most = 1_000;
    private const int MostTries = 4;
    private const int TimeoutMs = 10_000;
    private const SmtpStatusCode Refused = (SmtpStatusCode)500;
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);

    private readonly Channel<Order> _orders =
        Channel.CreateBounded<Order>(new BoundedChannelOptions(Most) { SingleReader = true });

    private sealed record Order(Func<Task<MimeMessage?>> Write, Func<Task>? GivenUp);

    /// <summary>Takes an order.</summary>
    /// <param name="write">Writes the message, later; gives null when there is none to send.</param>
    /// <param name="givenUp">Hears that it could not be written or sent.</param>
    /// <returns>False when too many wait.</returns>
    public bool TryOrder(Func<Task<MimeMessage?>> write, Func<Task>? givenUp = null) =>
        _orders.Writer.TryWrite(new Order(write, givenUp));

    protected override async Task RunAsync(CancellationToken cancel)
    {
        await foreach (var order in _orders.Reader.ReadAllAsync(cancel))
        {
            if (!await TryAsync(() => FillAsync(order.Write, cancel), cancel) && order.GivenUp is { } givenUp)
            {
                await TryAsync(async () =>
                {
                    await givenUp();
                    return true;
                }, cancel);
            }
        }
    }

    private async Task<bool> FillAsync(Func<Task<MimeMessage?>> write, CancellationToken cancel) =>
        await write() is not { } message || await SendAsync(message, cancel);

    /// <summary>Whatever goes wrong, the mail behind it must not suffer.</summary>
    private async Task<bool> TryAsync(Func<Task<bool>> work, CancellationToken cancel)
    {
        try
        {
            return await work();
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested)
        {
            // The kind alone, as below.
            Log.MailNotSent(logger, fault.GetBaseException().GetType().Name);
            return false;
        }
    }

    /// <returns>False when it is given up.</returns>
    private async Task<bool> SendAsync(MimeMessage message, CancellationToken cancel)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await SendOnceAsync(message, cancel);
                return true;
            }
            catch (Exception fault) when (
                fault is IOException or ProtocolException or CommandException or AuthenticationException
                    or System.Net.Sockets.SocketException or SslHandshakeException or TimeoutException)
            {
                // What the server refuses for good must not hold up the mail behind it.
                if (attempt == MostTries || fault is SmtpCommandException { StatusCode: >= Refused })
                {
                    // The kind alone: a mail server's words repeat the address.
                    Log.MailNotSent(logger, fault.GetType().Name);
                    return false;
                }
                await Task.Delay(FirstRetry * Math.Pow(3, attempt - 1), Clock, cancel);
            }
        }
    }

    private async Task SendOnceAsync(MimeMessage message, CancellationToken cancel)
    {
        var mail = settings.Mail!;
        using var client = new SmtpClient { Timeout = TimeoutMs };
        var security = mail.IsTlsFromStart
            ? SecureSocketOptions.SslOnConnect
            : SecureSocketOptions.StartTlsWhenAvailable;
        await client.ConnectAsync(mail.Host, mail.Port, security, cancel);
        if (mail.User is { } user)
        {
            await client.AuthenticateAsync(user, mail.Password ?? "", cancel);
        }
        await client.SendAsync(message, cancel);
        await client.DisconnectAsync(quit: true, cancel);
    }
}
