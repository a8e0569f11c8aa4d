namespace PoolApi.Thumbnails.Tiff;

/// <summary>The tags of a TIFF directory that decide how its pixels are read.</summary>
internal enum TiffTag : ushort
{
    ImageWidth = 256,
    ImageLength = 257,
    BitsPerSample = 258,
    Compression = 259,
    Photometric = 262,
    StripOffsets = 273,
    SamplesPerPixel = 277,
    RowsPerStrip = 278,
    StripByteCounts = 279,
    PlanarConfiguration = 284,
    TileWidth = 322,
    TileLength = 323,
    TileOffsets = 324,
    TileByteCounts = 325,
    InkSet = 332,
    SampleFormat = 339,
    YCbCrCoefficients = 529,
    YCbCrSubsampling = 530,
    ReferenceBlackWhite = 532,
}
