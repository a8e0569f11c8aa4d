namespace PoolApi.EndToEnd.Harness.Images;

/// <summary>Real photos.</summary>
internal static class Photos
{
    private const string Elephants = "/usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg";

    /// <summary>The photo of 16 MB: 5640 × 3172, a progressive JPEG.</summary>
    public static Task<byte[]> LargeAsync() =>
        File.ReadAllBytesAsync(Tool.RequireFile(Elephants, "apt-get install mate-backgrounds"));

    /// <summary>A photo of at most 1 MB, made from the large one by the service itself.</summary>
    public static async Task<byte[]> SmallAsync(PoolApiProcess service)
    {
        byte[] small = (await service.Api.PostImageAsync("/v1/thumbnails?width=1600&format=jpeg", await LargeAsync())).MustBe(200).Body;
        Assert.Equal(new ImageHeader("jpeg", 1600, 900), ImageHeader.Read(small));
        Assert.InRange(small.Length, 10_000, 1 << 20);
        return small;
    }
}
