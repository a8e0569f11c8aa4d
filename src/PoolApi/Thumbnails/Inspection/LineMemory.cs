namespace PoolApi.Thumbnails.Inspection;

/// <summary>
/// Estimates the memory for the lines of an image that is decoded line by line. libvips keeps strips of whole lines between the decoder and each step of
/// resizing, so a very wide image of few lines takes much more memory than its pixels.
/// </summary>
internal static class LineMemory
{
    // Measured with libvips, rounded up: the bytes for each sample of a line grow with the number of lines until all strips are full.
    private const double BytesPerSample = 225;
    private const double BytesPerSampleAndLine = 1;
    private const double MostBytesPerSample = 900;

    // Premultiplied alpha, and the conversion of inks.
    private const double FurtherBytesPerSample = 170;
    private const double DeepFactor = 1.5;

    /// <summary>The bytes for an image of so many samples a pixel.</summary>
    public static double Of(double width, double height, double samples, bool isDeep)
    {
        double perSample = Math.Min(BytesPerSample + height * BytesPerSampleAndLine, MostBytesPerSample);
        if (samples is 2 or >= 4) perSample += FurtherBytesPerSample;
        return width * samples * perSample * (isDeep ? DeepFactor : 1);
    }
}
