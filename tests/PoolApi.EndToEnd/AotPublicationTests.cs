using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd;

/// <summary>The service publishes as Native AOT without one trim or AOT warning.</summary>
public sealed class AotPublicationTests
{
    [Fact]
    public async Task It_publishes_without_a_warning()
    {
        var run = await AotPublication.OutputAsync();

        Assert.True(run.ExitCode == 0, run.Text);
        Assert.DoesNotContain(run.Lines, line => Regex.IsMatch(line, @"\bwarning\b", RegexOptions.IgnoreCase));
    }

    [Fact]
    public async Task The_binary_is_native_and_needs_no_runtime_beside_it()
    {
        string binary = await AotPublication.BinaryAsync();

        byte[] start = new byte[4];
        await using var file = File.OpenRead(binary);
        await file.ReadExactlyAsync(start, TestContext.Current.CancellationToken);
        Assert.Equal([0x7F, (byte)'E', (byte)'L', (byte)'F'], start);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(binary)!, "PoolApi*.dll"));
    }
}
