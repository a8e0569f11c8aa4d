using PoolApi.Thumbnails;

namespace PoolApi.Tests.Thumbnails;

/// <summary>A lack of memory, threads or space is a fault of the service, which answers 500 instead of 422.</summary>
public class VipsFaultTests
{
    [Theory]
    [InlineData("unable to copy to memory\nVipsImage: out of memory --- size == 90MB\n")]
    [InlineData("vipspng: Insufficient memory\n")]
    [InlineData("heif: Memory allocation error: Cannot allocate memory (6.0)\n")]
    [InlineData("VipsJpeg: Insufficient memory (case 4)\n")]
    [InlineData("unix error: Cannot allocate memory\n")]
    [InlineData("target: unable to write to memory\n")]
    [InlineData("vips_g_thread_new: unable to create thread\n")]
    public void A_lack_of_memory_or_threads_is_a_fault_of_the_service(string message) => Assert.True(VipsFault.IsOurs(message));

    [Theory]
    [InlineData("unable to copy to memory\nVipsJpeg: premature end of JPEG image\n")]
    [InlineData("webp: unable to parse image\n")]
    [InlineData("tiff2vips: Out of memory allocating 4294967295 bytes\n")]
    [InlineData("heif: Memory allocation error: Security limit exceeded: Allocating 9000000000 bytes exceeds the security limit (6.1000)\n")]
    public void A_malformed_file_or_an_absurd_size_is_a_fault_of_the_image(string message) => Assert.False(VipsFault.IsOurs(message));
}
