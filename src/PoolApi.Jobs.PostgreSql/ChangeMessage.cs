using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// The messages between instances: <c>SENDER WORD WORD …</c>. A word is <c>!</c> (a job may be due), <c>?</c> (changes may have been missed), or a job's
/// id (22 characters), its version and, if its cancellation was requested, an <c>x</c>. Unknown words are ignored, because newer instances may send more.
/// </summary>
internal static class ChangeMessage
{
    /// <summary>The longest message. NOTIFY's limit is 8,000 bytes.</summary>
    private const int MaxLength = 7900;

    private const int IdLength = 22;

    public static List<string> Write(string sender, IEnumerable<JobChange> changes, bool mayBeDue, bool mayHaveMissed)
    {
        List<string> messages = [];
        var text = new StringBuilder(sender);
        // Urgent words first.
        if (mayBeDue) text.Append(" !");
        if (mayHaveMissed) text.Append(" ?");
        Span<byte> bytes = stackalloc byte[16];
        Span<char> id = stackalloc char[IdLength];
        foreach (JobChange change in changes.OrderByDescending(static c => c.IsCancelRequested))
        {
            if (text.Length > MaxLength - 64)
            {
                messages.Add(text.ToString());
                text.Clear().Append(sender);
            }
            change.Id.TryWriteBytes(bytes, bigEndian: true, out _);
            Base64Url.EncodeToChars(bytes, id);
            text.Append(' ').Append(id).Append(CultureInfo.InvariantCulture, $"{change.Version}");
            if (change.IsCancelRequested) text.Append('x');
        }
        messages.Add(text.ToString());
        return messages;
    }

    /// <summary>Passes a message to a listener, unless this instance sent it.</summary>
    public static void Read(string message, string receiver, IJobStoreListener listener)
    {
        bool isSender = true;
        foreach (Range range in message.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> word = message.AsSpan(range);
            if (isSender)
            {
                if (word.SequenceEqual(receiver)) return;
                isSender = false;
            }
            else if (word is "!")
            {
                listener.MayBeDue();
            }
            else if (word is "?")
            {
                listener.MayHaveMissed();
            }
            else if (TryReadChange(word, out JobChange change))
            {
                listener.Changed(change);
            }
        }
    }

    private static bool TryReadChange(ReadOnlySpan<char> word, out JobChange change)
    {
        change = default;
        if (word.Length <= IdLength) return false;
        Span<byte> id = stackalloc byte[16];
        bool isCancelRequested = word[^1] == 'x';
        ReadOnlySpan<char> version = isCancelRequested ? word[IdLength..^1] : word[IdLength..];
        if (!Base64Url.IsValid(word[..IdLength]) || !Base64Url.TryDecodeFromChars(word[..IdLength], id, out int length) || length != 16
            || !long.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out long number))
        {
            return false;
        }
        change = new JobChange(new Guid(id, bigEndian: true), number, isCancelRequested);
        return true;
    }
}
