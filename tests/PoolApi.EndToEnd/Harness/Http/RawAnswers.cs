using System.Globalization;
using System.Text;

namespace PoolApi.EndToEnd.Harness.Http;

/// <summary>Reads the responses on a raw connection, in the form that the other clients use.</summary>
internal static class RawAnswers
{
    /// <summary>Sends a request without a body and reads its answer.</summary>
    public static async Task<Answer> AskAsync(this RawConnection connection, string method, string target, string host)
    {
        await connection.SendAsync($"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        return await connection.ReadAsync() ?? throw new IOException("the connection was closed without an answer");
    }

    /// <summary>Reads one answer; null if the connection is closed or reset instead.</summary>
    public static async Task<Answer?> ReadAsync(this RawConnection connection)
    {
        string response;
        try
        {
            response = await connection.ReadResponseAsync();
        }
        catch (IOException)
        {
            return null;
        }
        int head = response.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        string[] lines = response[..head].Split("\r\n");
        Dictionary<string, string> headers = lines.Skip(1).Select(static line => line.Split(':', 2))
            .ToDictionary(static field => field[0], static field => field[1].Trim(), StringComparer.OrdinalIgnoreCase);
        string body = response[(head + 4)..];
        if (headers.ContainsKey("Transfer-Encoding")) body = Unchunk(body);
        return new Answer(int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture), headers, Encoding.Latin1.GetBytes(body));
    }

    private static string Unchunk(string chunks)
    {
        var body = new StringBuilder();
        for (int at = 0; ;)
        {
            int line = chunks.IndexOf("\r\n", at, StringComparison.Ordinal);
            int size = int.Parse(chunks.AsSpan(at, line - at), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size == 0) return body.ToString();
            body.Append(chunks, line + 2, size);
            at = line + 2 + size + 2;
        }
    }
}
