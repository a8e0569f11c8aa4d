namespace PoolApi.EndToEnd.Starting;

/// <summary>The service publishes as Native AOT without a trim or AOT warning. A warning fails the publication.</summary>
public sealed class AotPublicationTests
{
    [Fact]
    public async Task The_service_publishes_without_a_warning_as_a_native_binary_with_no_PoolApi_assembly_beside_it()
    {
        string binary = await AotPublication.BinaryAsync();

        byte[] start = new byte[4];
        await using var file = File.OpenRead(binary);
        await file.ReadExactlyAsync(start, TestContext.Current.CancellationToken);
        Assert.Equal([0x7F, (byte)'E', (byte)'L', (byte)'F'], start);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(binary)!, "PoolApi*.dll"));
    }
}
